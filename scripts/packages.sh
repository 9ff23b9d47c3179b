# Sourced by scripts/run and scripts/test: what Debian 12 must have installed, and installing it.

BUILD_PACKAGES="gcc make libc6-dev pkg-config libgnutls28-dev libcrypt-dev libinih-dev
	libxxhash-dev libgsasl-dev"
TEST_PACKAGES="g++ git clang clang-format libclang-rt-14-dev libcunit1-dev valgrind mandoc python3
	python3-cryptography curl fetchmail mpop getmail6 msmtp swaks openssl gnutls-bin gsasl perl
	libio-socket-ssl-perl libauthen-sasl-perl libdigest-hmac-perl dovecot-pop3d procps strace
	util-linux e2fsprogs mount testssl.sh sslscan"
# For the tests too, but they conflict with Dovecot's, with each other, or with the MTA that this
# machine has, or would change what it does: unpacked into folders, not installed.
POSTFIX_PACKAGES="postfix libdb5.3 libicu72 libnsl2 libtirpc3 libsasl2-2"
OPENSMTPD_PACKAGES="opensmtpd libdb5.3 libevent-2.1-7"
FAIL2BAN_PACKAGES="fail2ban"
COURIER_PACKAGES="courier-pop courier-authlib libcourier-unicode4 libidn12"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# install_packages NAME...: install those that are missing; as an ordinary user by sudo, and without
# sudo name them and stop.
install_packages() {
	local missing=() name
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" = "install ok installed" ] ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		echo "missing packages: ${missing[*]}" >&2
		echo "install them as root: apt-get install ${missing[*]}" >&2
		exit 69
	fi
	echo "installing ${missing[*]}" >&2
	as_root apt-get update -q >&2 &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 || {
		echo "the packages could not be installed: ${missing[*]}" >&2
		exit 69
	}
}

# download_packages FOLDER NAME...: their files, after a look for new versions if that fails.
download_packages() {
	local folder=$1 try
	shift
	for try in first second; do
		(cd "$folder" && apt-get -q -o APT::Sandbox::User=root download "$@" >&2) && return
		[ $try = second ] || as_root apt-get update -q >&2 || return
	done
	return 1
}

# unpack_packages FOLDER NAME...: have them below FOLDER as they would lie below /; done once. Not
# having them is told, and by the tests that need them, which fail.
unpack_packages() {
	local folder=$1 files
	shift
	[ "$(cat "$folder/unpacked" 2>/dev/null)" != "$*" ] || return 0
	echo "unpacking $* into $folder" >&2
	files=$(mktemp -d "${TMPDIR:-/tmp}/pop3-packages.XXXXXX")
	rm -rf "$folder"
	mkdir -p "$folder"
	if download_packages "$files" "$@"; then
		find "$files" -name '*.deb' -exec dpkg -x {} "$folder" \;
		echo "$*" >"$folder/unpacked"
	else
		echo "the packages could not be downloaded: $*" >&2
	fi
	rm -rf "$files"
}
