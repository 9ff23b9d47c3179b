# Sourced by scripts/run and scripts/test: what Debian 12 must have installed, and installing it.

BUILD_PACKAGES="gcc make libc6-dev pkg-config libgnutls28-dev libcrypt-dev libinih-dev
	libxxhash-dev"
TEST_PACKAGES="g++ git clang clang-format libclang-rt-14-dev libcunit1-dev valgrind mandoc python3
	curl fetchmail mpop getmail6 perl dovecot-pop3d procps strace util-linux
	e2fsprogs mount"

# install_packages NAME...: install those that are missing; as an ordinary user by sudo, and without
# sudo name them and stop.
install_packages() {
	local missing=() name
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" = "install ok installed" ] ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "missing packages: ${missing[*]}" >&2
			echo "install them as root: apt-get install ${missing[*]}" >&2
			exit 69
		fi
		as_root=(sudo)
	fi
	echo "installing ${missing[*]}" >&2
	"${as_root[@]}" apt-get update -q >&2 &&
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 || {
		echo "the packages could not be installed: ${missing[*]}" >&2
		exit 69
	}
}
