# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# images.sh - the kernels and disks that scripts/check-kernels boots, kept in a cache
#
# A kernel is a directory with vmlinuz, initrd and modules.img, taken from Debian's packages by an
# apt of its own: the machine's sources and package lists are not touched. Sourced; the caller may set
# architecture, Debian's name of one.

architecture=${architecture:-amd64}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rtaio
mirror=${RTAIO_DEBIAN_MIRROR:-http://deb.debian.org/debian}
security_mirror=${RTAIO_DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# The tests are built here, so the root has the C library of this release.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
# Debian has riscv64 since trixie.
[ "$architecture" != riscv64 ] || [ "$suite" != bookworm ] || suite=trixie

# Packages of the root beyond the minimum: for the tests, then for scripts/guest/filesystems.
root_packages=(libcmocka0 kmod procps iproute2 e2fsprogs fio
	nfs-kernel-server nfs-common samba cifs-utils f2fs-tools jfsutils dosfstools exfatprogs ntfs-3g
	nilfs-tools ecryptfs-utils squashfs-tools xfsprogs btrfs-progs
	cryptsetup-bin dmsetup thin-provisioning-tools mdadm nbd-server nbd-client)
# Where the processor is emulated, even a package takes long to configure.
[ "$architecture" = amd64 ] || root_packages=(libcmocka0 kmod procps iproute2 e2fsprogs)
# The packages that the library and its tests are built with, and run with under qemu-user.
sysroot_packages=(libc6 libc6-dev linux-libc-dev libcrypt1 libgcc-s1 libcmocka0 libcmocka-dev liburing2
	liburing-dev libaio-dev libbsd-dev libseccomp2 libseccomp-dev)

# To read and to write all of a root takes its owner.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# ext4_image FILE LABEL SIZE [DIRECTORY]: there without a loop device, nor a mount.
ext4_image() {
	rm -f "$1"
	as_root mke2fs -q -F -t ext4 -m 0 -L "$2" -E lazy_itable_init=0 ${4:+-d "$4"} "$1" "$3" >/dev/null &&
		as_root chown "$(id -u):$(id -g)" "$1"
}

# ---- packages ----

apt_dir=$cache/apt
[ "$architecture" = amd64 ] || apt_dir=$cache/apt-$architecture

# private_apt PROGRAM ARGUMENT...
private_apt() {
	local program=$1
	shift
	"$program" -q -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" \
		-o "Dir::Etc::SourceList=$apt_dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State::Lists=$apt_dir/lists" -o Dir::State::Status=/dev/null \
		-o "Dir::Cache=$apt_dir" -o APT::Sandbox::User="$(id -un)" "$@"
}

# The package lists of the releases, not older than a day.
update_package_lists() {
	local releases=(bullseye bookworm bookworm-backports trixie sid) secured=(bullseye bookworm trixie)

	[ "$architecture" != riscv64 ] || { releases=(trixie sid) && secured=(trixie); }
	mkdir -p "$apt_dir/lists/partial" "$apt_dir/archives/partial" || return
	{
		for release in "${releases[@]}"; do
			echo "deb [signed-by=$keyring] $mirror $release main"
		done
		for release in "${secured[@]}"; do
			echo "deb [signed-by=$keyring] $security_mirror $release-security main"
		done
	} >"$apt_dir/sources.list"
	[ -z "$(find "$apt_dir/updated" -mtime -1 2>/dev/null)" ] || return 0
	private_apt apt-get update >"$apt_dir/log" 2>&1 && touch "$apt_dir/updated"
}

# The kernels that Debian has, oldest first, named by the version. Those of arm64 with pages of 16 KiB
# end in -16k.
list_releases() {
	private_apt apt-cache pkgnames linux-image- |
		sed -n -E "s/^linux-image-([0-9]+\.[0-9]+\.[0-9]+[-+][-+.~a-z0-9]*)-$architecture(-16k)?$/\1\2/p" |
		grep -v -E -e '-(rt|cloud)(-16k)?$' -e '-dbg' | sort -V
}

# find_release KERNEL: the newest that begins with these numbers, or of all; with pages of 16 KiB if it
# ends in -16k.
find_release() {
	local pages=-v series=$1

	[[ $series != *-16k ]] || { pages= && series=${series%-16k}; }
	series=${series//[.+]/\\&}
	[ "$series" != newest ] || series='[0-9]*'
	list_releases | grep ${pages:+"$pages"} -e '-16k$' | grep -E "^$series([-.+]|$)" | tail -n 1
}

# The packages of a kernel: newer ones have the modules in one of their own.
kernel_packages() {
	private_apt apt-cache depends "linux-image-$1" |
		sed -n -E 's/^ *Depends: (linux-(modules|binary|base)-[0-9].*)/\1/p'
	echo "linux-image-$1"
}

# full_version RELEASE: as uname -r says it.
full_version() {
	if [[ $1 = *-16k ]]; then
		echo "${1%-16k}-$architecture-16k"
	else
		echo "$1-$architecture"
	fi
}

# unpack_packages DIRECTORY PACKAGE...
unpack_packages() {
	local work target status=0 file

	target=$(realpath "$1") && work=$(mktemp -d "$cache/packages.XXXXXX") || return
	shift
	(cd "$work" && private_apt apt-get download "$@" >>"$apt_dir/log" 2>&1) || status=1
	for file in "$work"/*.deb; do
		dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -f - -C "$target" || status=1
	done
	rm -rf "$work"
	return "$status"
}

# ---- a kernel ----

# The modules needed to reach the disks; all others are loaded from modules.img.
initrd_modules=(virtio_pci virtio_blk ext4)

# Which modules, in the order in which they are loaded.
module_files() {
	local module

	for module in "${initrd_modules[@]}"; do
		/sbin/modprobe --dirname "$1" --set-version "$2" --ignore-install --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

unpacked() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*) cat "$1" ;;
	esac
}

# build_initrd UNPACKED RELEASE FILE
build_initrd() {
	local file tree=$1/initrd count=100

	mkdir -p "$tree"/{bin,modules,proc,sys,dev,root} "$1/packages" || return
	unpack_packages "$1/packages" busybox-static || return
	find "$1/packages" -name busybox -type f -perm -100 -exec cp {} "$tree/bin/busybox" \; || return
	cp scripts/guest/initrd "$tree/init" || return
	for file in $(module_files "$1" "$2"); do
		unpacked "$file" >"$tree/modules/$count.ko" || return
		count=$((count + 1))
	done
	(cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$3"
}

# Packages have the kernel in one of two places.
find_vmlinuz() {
	find "$1/boot" "$1/lib/modules" -name 'vmlinuz*' -type f 2>/dev/null | head -n 1
}

# build_kernel RELEASE DIRECTORY, with a directory to work in
build_kernel() {
	local target=$2 work=$3 version tree=$3/tree

	version=$(full_version "$1")
	mkdir -p "$tree" || return
	# shellcheck disable=SC2046 # several names
	unpack_packages "$tree" $(kernel_packages "$version") || return
	# One place for modules, whether it was merged with /usr or not.
	mkdir -p "$tree/lib" && [ ! -d "$tree/usr/lib/modules" ] || mv "$tree/usr/lib/modules" "$tree/lib/" || return
	/sbin/depmod --basedir "$tree" "$version" || return
	build_initrd "$tree" "$version" "$work/initrd" &&
		ext4_image "$work/modules.img" modules 1G "$tree/lib/modules" &&
		cp "$(find_vmlinuz "$tree")" "$work/vmlinuz" || return
	mkdir -p "$target" && mv "$work/vmlinuz" "$work/initrd" "$work/modules.img" "$target"
}

kernels_dir=$cache/kernels
[ "$architecture" = amd64 ] || kernels_dir=$cache/kernels-$architecture

# get_kernel RELEASE: prints where it is.
get_kernel() {
	local target=$kernels_dir/$1 work status

	if [ ! -e "$target/modules.img" ] || [ scripts/guest/initrd -nt "$target/initrd" ]; then
		work=$(mktemp -d "$cache/kernel.XXXXXX") || return
		(build_kernel "$1" "$target" "$work")
		status=$?
		rm -rf "$work"
		[ "$status" -eq 0 ] || return "$status"
	fi
	echo "$target"
}

# ---- the root ----

# root_tree DIRECTORY: what debootstrap makes; of another processor the first stage alone.
root_tree() {
	local include options=()

	include=$(IFS=, && echo "${root_packages[*]}")
	[ "$architecture" = "$(dpkg --print-architecture)" ] || options=(--foreign)
	as_root debootstrap --variant=minbase --arch="$architecture" "${options[@]}" --include="$include" \
		"$suite" "$1" "$mirror" >"$cache/debootstrap.log" 2>&1
}

# get_root FINISH: prints the image; its name says what is in it. FINISH IMAGE is called if packages
# have yet to be configured, by a machine that runs them.
get_root() {
	local sum image work

	sum=$(echo "$architecture ${root_packages[*]}" | sed 's/^amd64 //' | cksum | cut -d' ' -f1)
	image=$cache/root-$suite-$sum.img
	if [ ! -e "$image" ]; then
		work=$(mktemp -d "$cache/root.XXXXXX") || return
		as_root chmod 755 "$work"
		root_tree "$work/root" &&
			{ [ -d "$work/root/debootstrap" ] || as_root rm -rf "$work"/root/var/cache/apt "$work"/root/var/lib/apt/lists; } &&
			as_root mkdir -p "$work"/root/{job,results,lib/modules} &&
			ext4_image "$work/image" root 3G "$work/root" &&
			{ [ ! -d "$work/root/debootstrap" ] || "$1" "$work/image"; } &&
			mv "$work/image" "$image"
		as_root rm -rf "$work"
	fi
	[ -e "$image" ] && echo "$image"
}

# ---- what is built with a cross compiler ----

# get_sysroot: prints the directory.
get_sysroot() {
	local sum tree work

	sum=$(echo "${sysroot_packages[@]}" | cksum | cut -d' ' -f1)
	tree=$cache/sysroot-$suite-$architecture-$sum
	if [ ! -d "$tree" ]; then
		work=$(mktemp -d "$cache/sysroot.XXXXXX") && mkdir -p "$work/usr/lib" && ln -s usr/lib "$work/lib" || return
		unpack_packages "$work" "${sysroot_packages[@]/%//$suite}" || { rm -rf "$work" && return 1; }
		chmod 755 "$work" && mv "$work" "$tree"
	fi
	echo "$tree"
}
