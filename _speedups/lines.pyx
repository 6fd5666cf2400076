# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""SMTP lines and message data from bytes: the fast twin of mta/wire/lines_py.py, which specifies it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy

BARE_LF = 1
BARE_CR = 2
NUL = 4
OVERLONG = 8

cdef enum:
    LINE_START = 0
    AFTER_DOT = 1
    AFTER_DOT_CR = 2
    IN_LINE = 3
    AFTER_CR = 4


cdef class LineReader:
    """Command lines out of bytes."""

    cdef bytes _buffer
    cdef Py_ssize_t _position
    cdef Py_ssize_t _limit
    cdef bint _skipping
    cdef public int flaw

    def __init__(self, Py_ssize_t limit=16384):
        self._buffer = b""
        self._position = 0
        self._limit = limit
        self._skipping = False
        self.flaw = 0

    cpdef feed(self, bytes data):
        """Add what has been read."""
        if self._position >= PyBytes_GET_SIZE(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._position:] + data
        self._position = 0

    cpdef next(self):
        """The next line without its end, its flaws in ``flaw``; None when no whole line is there."""
        cdef const char *base = PyBytes_AS_STRING(self._buffer)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._buffer)
        cdef Py_ssize_t held = size - self._position
        cdef const char *start = base + self._position
        cdef const char *found = <const char *> memchr(start, 10, held) if held > 0 else NULL
        cdef Py_ssize_t length
        cdef int flaw = 0
        if found == NULL:
            if self._skipping or held > self._limit + 1:
                self._position = size - (1 if size and base[size - 1] == 13 else 0)
                self._skipping = True
            return None
        length = found - start
        if length > 0 and start[length - 1] == 13:
            length -= 1
        else:
            flaw = 1
        self._position = found - base + 1
        if self._skipping or length > self._limit:
            self._skipping = False
            self.flaw = flaw | 8
            return b""
        if length:
            if memchr(start, 13, length) != NULL:
                flaw |= 2
            if memchr(start, 0, length) != NULL:
                flaw |= 4
        self.flaw = flaw
        return PyBytes_FromStringAndSize(start, length)

    cpdef pending(self):
        """How many bytes are held that no line has been made of."""
        return PyBytes_GET_SIZE(self._buffer) - self._position

    cpdef take(self):
        """All held bytes, which are forgotten here."""
        rest = self._buffer[self._position:]
        self._buffer = b""
        self._position = 0
        self._skipping = False
        return rest


cdef class DataScanner:
    """Message data: dots unstuffed, CRLF made LF, the end found."""

    cdef bint _dots
    cdef bint _in_header
    cdef int _state
    cdef Py_ssize_t _column
    cdef public bint done
    cdef public bytes rest
    cdef public Py_ssize_t size
    cdef public Py_ssize_t lines
    cdef public Py_ssize_t max_line
    cdef public Py_ssize_t nuls
    cdef public Py_ssize_t bare_cr
    cdef public Py_ssize_t bare_lf
    cdef public bint eight_bit

    def __init__(self, bint dots=True):
        self._dots = dots
        self._state = LINE_START
        self._in_header = True
        self._column = 0
        self.done = False
        self.rest = b""
        self.size = 0
        self.lines = 0
        self.max_line = 0
        self.nuls = 0
        self.bare_cr = 0
        self.bare_lf = 0
        self.eight_bit = False

    cdef inline char _lone(self, bint is_cr):
        if is_cr:
            self.bare_cr += 1
        else:
            self.bare_lf += 1
        if self._in_header or not is_cr:
            self._column += 1
            return 32
        self._line_end()
        return 10

    cdef inline void _line_end(self):
        if self._column > self.max_line:
            self.max_line = self._column
        self._column = 0
        self.lines += 1

    cdef inline Py_ssize_t _plain(self, const unsigned char *text, Py_ssize_t size):
        # bytes up to the next CR or LF, copied by the caller in one piece
        cdef const void *found = memchr(text, 10, size)
        cdef Py_ssize_t length = size if found == NULL else <const unsigned char *> found - text
        cdef Py_ssize_t index
        cdef unsigned char bits = 0
        if length == 0:
            return 0
        found = memchr(text, 13, length)
        if found != NULL:
            length = <const unsigned char *> found - text
        for index in range(length):
            bits |= text[index]
        if bits >= 128:
            self.eight_bit = True
        if length and memchr(text, 0, length) != NULL:
            for index in range(length):
                self.nuls += text[index] == 0
        self._column += length
        return length

    cpdef feed(self, bytes data):
        """Take the next bytes from the wire; returns those of the message."""
        cdef const unsigned char *text = <const unsigned char *> PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        # a byte held back (a CR) may add one to what this piece holds
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size + 1)
        cdef char *target = PyBytes_AS_STRING(out)
        cdef Py_ssize_t position = 0, filled = 0, length
        cdef unsigned char byte
        while position < size:
            byte = text[position]
            if self._state == AFTER_CR:
                if byte == 10:
                    position += 1
                    if self._in_header and self._column == 0:
                        self._in_header = False
                    self._line_end()
                    target[filled] = 10
                    filled += 1
                    self._state = LINE_START
                    continue
                target[filled] = self._lone(True)
                filled += 1
                self._state = IN_LINE
            elif self._state == AFTER_DOT:
                if byte == 13:
                    self._state = AFTER_DOT_CR
                    position += 1
                    continue
                self._state = IN_LINE
            elif self._state == AFTER_DOT_CR:
                if byte == 10:
                    self.done = True
                    self.rest = data[position + 1:]
                    break
                target[filled] = self._lone(True)
                filled += 1
                self._state = IN_LINE
            elif self._state == LINE_START and byte == 46 and self._dots:
                self._state = AFTER_DOT
                position += 1
                continue
            if byte == 13:
                self._state = AFTER_CR
                position += 1
            elif byte == 10:
                target[filled] = self._lone(False)
                filled += 1
                self._state = IN_LINE
                position += 1
            else:
                length = self._plain(text + position, size - position)
                memcpy(target + filled, text + position, length)
                filled += length
                position += length
                self._state = IN_LINE
        self.size += filled
        return out[:filled]

    cpdef finish(self):
        """The end of data that has no dot (BDAT)."""
        self.done = True
        if self._state != AFTER_CR:
            return b""
        self._state = IN_LINE
        self.size += 1
        return b" " if self._lone(True) == 32 else b"\n"


cpdef bytes stuff(bytes body, bint at_line_start):
    """Text with LF line ends as it goes out: CRLF, dots stuffed, no bare CR and no NUL."""
    cdef const char *text = PyBytes_AS_STRING(body)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    cdef Py_ssize_t position, extra = 0, filled = 0, length
    cdef bint start = at_line_start
    cdef char byte
    cdef const void *found
    if size == 0:
        return body
    for position in range(size):
        byte = text[position]
        extra += (byte == 10) + (byte == 13) + (byte == 46)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size + extra)
    cdef char *target = PyBytes_AS_STRING(out)
    position = 0
    while position < size:
        byte = text[position]
        if start and byte == 46:
            target[filled] = 46
            filled += 1
        start = False
        if byte == 13 or byte == 10:
            if byte == 13 and position + 1 < size and text[position + 1] == 10:
                position += 1
            target[filled] = 13
            target[filled + 1] = 10
            filled += 2
            position += 1
            start = True
            continue
        found = memchr(text + position, 10, size - position)
        length = size - position if found == NULL else <const char *> found - (text + position)
        found = memchr(text + position, 13, length)
        if found != NULL:
            length = <const char *> found - (text + position)
        memcpy(target + filled, text + position, length)
        if memchr(text + position, 0, length) != NULL:
            for index in range(filled, filled + length):
                if target[index] == 0:
                    target[index] = 32
        filled += length
        position += length
    return out[:filled]
