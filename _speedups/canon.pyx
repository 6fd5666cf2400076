# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Canonical forms of DKIM: the fast twin of mta/wire/canon_py.py, which specifies it."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr

cdef enum:
    TAB = 9
    LF = 10
    CR = 13
    SPACE = 32
    BLOCK = 2048


cdef class Body:
    """The canonical form of one body: ``feed`` its pieces, then ``finish``; both call ``update`` with what is known.

    Empty lines at the end are gone, a missing last line end is supplied; an empty body is CRLF (simple) or nothing
    (relaxed). With ``relaxed`` runs of white space are one space, and none at the end of a line.
    """

    cdef bint _relaxed, _cr, _blank, _any
    cdef Py_ssize_t _newlines

    def __init__(self, bint relaxed):
        self._relaxed = relaxed
        self._cr = False
        self._blank = False
        self._newlines = 0
        self._any = False

    cpdef feed(self, bytes data, update):
        """The next piece."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef char *out
        if size == 0:
            return
        # twice the bytes if all are line ends, a block of line ends from before, a held CR and blank
        out = <char *> PyMem_Malloc(2 * size + 2 * BLOCK + 8)
        if out == NULL:
            raise MemoryError()
        try:
            self._run(<const unsigned char *> PyBytes_AS_STRING(data), size, out, update)
        finally:
            PyMem_Free(out)

    cdef _run(self, const unsigned char *base, Py_ssize_t size, char *out, update):
        cdef Py_ssize_t position = 0, used = 0, count
        cdef unsigned char byte
        while position < size:
            byte = base[position]
            if self._cr:
                self._cr = False
                if byte == LF:
                    self._newlines += 1
                    self._blank = False
                    position += 1
                    continue
                byte = CR  # it was data; the byte after it is looked at in the next round
            else:
                position += 1
                if byte == CR:
                    self._cr = True
                    continue
                if byte == LF:
                    self._newlines += 1
                    self._blank = False
                    continue
                if self._relaxed and (byte == SPACE or byte == TAB):
                    self._blank = True
                    continue
            if self._newlines:
                if self._newlines > BLOCK:
                    if used:
                        update(PyBytes_FromStringAndSize(out, used))
                        used = 0
                    while self._newlines:
                        count = min(self._newlines, BLOCK)
                        update(b"\r\n" * count)
                        self._newlines -= count
                while self._newlines:
                    out[used] = CR
                    out[used + 1] = LF
                    used += 2
                    self._newlines -= 1
            if self._blank:
                self._blank = False
                out[used] = SPACE
                used += 1
            out[used] = byte
            used += 1
            self._any = True
            # the rest of a word
            if self._relaxed:
                while position < size and base[position] > SPACE:
                    out[used] = base[position]
                    used += 1
                    position += 1
            else:
                while position < size and base[position] > CR:
                    out[used] = base[position]
                    used += 1
                    position += 1
        if used:
            update(PyBytes_FromStringAndSize(out, used))

    cpdef finish(self, update):
        """The end of the body."""
        if self._cr:
            self._cr = False
            while self._newlines:
                count = min(self._newlines, BLOCK)
                update(b"\r\n" * count)
                self._newlines -= count
            update(b" \r" if self._blank else b"\r")
            self._blank = False
            self._any = True
        if self._any or not self._relaxed:
            update(b"\r\n")


cpdef bytes relaxed_header(bytes line):
    """One header line, folds and line end included or not: ``name:value`` CRLF, the name in lower case."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(line), position = 0, used = 0, end
    cdef const unsigned char *base = <const unsigned char *> PyBytes_AS_STRING(line)
    cdef const void *found = memchr(base, 58, size)
    cdef Py_ssize_t colon = (<const unsigned char *> found) - base if found != NULL else size
    cdef unsigned char byte
    cdef bint blank = False
    cdef char *out = <char *> PyMem_Malloc(size + 8)
    if out == NULL:
        raise MemoryError()
    try:
        while position < colon:
            byte = base[position]
            position += 1
            if byte == LF or (byte == CR and position < colon and base[position] == LF):
                continue
            if 65 <= byte <= 90:
                byte += 32
            out[used] = byte
            used += 1
        while used and (out[used - 1] == SPACE or out[used - 1] == TAB):
            used -= 1
        out[used] = 58
        used += 1
        end = used
        position = colon + 1
        while position < size:
            byte = base[position]
            position += 1
            if byte == LF or (byte == CR and position < size and base[position] == LF):
                continue
            if byte == SPACE or byte == TAB:
                blank = True
                continue
            if blank:
                blank = False
                if used > end:
                    out[used] = SPACE
                    used += 1
            out[used] = byte
            used += 1
        out[used] = CR
        out[used + 1] = LF
        return PyBytes_FromStringAndSize(out, used + 2)
    finally:
        PyMem_Free(out)


cpdef bytes simple_header(bytes line):
    """One header line as it is, with CRLF at the ends of its lines; a missing last one is supplied."""
    cdef bytes text = line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") else text + b"\r\n"
