#!/bin/sh
# Install the Debian packages that tests run as real peers; without root, say which are missing and go on.
set -u
missing=""
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing:$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || echo "apt-get update failed; trying with the lists that are here"
        # shellcheck disable=SC2086
        apt-get install -y -qq --no-install-recommends $missing >/dev/null || echo "apt-get could not install:$missing"
    else
        echo "*** not root: the tests that need these Debian packages will be skipped:$missing"
    fi
fi
# Postfix conflicts with Exim as a package; only its smtp-source and smtp-sink are wanted, so it is unpacked.
peers=tests/.peers
if [ ! -x "$peers/usr/sbin/smtp-sink" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    mkdir -p "$peers"
    (cd "$peers" && apt-get download -qq postfix >/dev/null 2>&1 && dpkg-deb -x postfix_*.deb . && rm -f postfix_*.deb) ||
        echo "*** could not unpack postfix: tests with smtp-source and smtp-sink will be skipped"
fi
exit 0
