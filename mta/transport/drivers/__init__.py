"""Transport drivers, one file each, registered in ``transport.base.transports``."""
