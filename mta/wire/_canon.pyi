from mta.wire.canon_py import Body as Body
from mta.wire.canon_py import relaxed_header as relaxed_header
from mta.wire.canon_py import simple_header as simple_header
