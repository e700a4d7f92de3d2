"""The Debian packages agree with the files that they are made from. tests/packages/run builds and tries them."""

import re

from stack import SOURCE

TOOLS = {"gcc", "libc6-dev", "make", "autoconf", "automake"}  # debhelper brings them


def test_packages_have_the_version_of_the_rest():
    version = re.search(r"AC_INIT\(\[zcast\], \[(.*?)\]\)", (SOURCE / "configure.ac").read_text())[1]
    assert re.match(r"zcast \((.*?)\)", (SOURCE / "debian/changelog").read_text())[1] == version


def test_packages_are_built_with_what_quickstart_installs():
    listed = re.search(r"^build_packages=\((.*?)\)", (SOURCE / "tools/quickstart").read_text(), re.MULTILINE | re.DOTALL)[1].split()
    needed = re.search(r"^Build-Depends:\n(.*?)^\S", (SOURCE / "debian/control").read_text(), re.MULTILINE | re.DOTALL)[1]
    names = set(re.findall(r"[a-z0-9][a-z0-9.+-]+", re.sub(r"\(.*?\)|<.*?>", "", needed)))
    assert set(listed) - TOOLS == names - {"debhelper-compat", "dh-sequence-installsysusers", "libcmocka-dev", "pkgconf"}
