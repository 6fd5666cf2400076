from mta.wire.proxy_py import ProxyFault as ProxyFault
from mta.wire.proxy_py import ProxyHeader as ProxyHeader

SIGNATURE: bytes
V1_LONGEST: int
V2_LONGEST: int
PP2_TYPE_CRC32C: int

def crc32c(data: bytes) -> int: ...
def parse(data: bytes) -> ProxyHeader | None: ...
