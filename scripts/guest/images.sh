# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# images.sh - the kernels and disks that scripts/check-kernels boots, kept in a cache
#
# A kernel is a directory with vmlinuz, initrd and modules.img, taken from Debian's packages by an
# apt of its own: the machine's sources and package lists are not touched. Sourced.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/rtaio
mirror=${RTAIO_DEBIAN_MIRROR:-http://deb.debian.org/debian}
security_mirror=${RTAIO_DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# The tests are built here, so the root has the C library of this release.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")

# Packages of the root beyond the minimum: for the tests, then for scripts/guest/filesystems.
root_packages=(libcmocka0 kmod procps iproute2 e2fsprogs fio
	nfs-kernel-server nfs-common samba cifs-utils f2fs-tools jfsutils dosfstools exfatprogs ntfs-3g
	nilfs-tools ecryptfs-utils squashfs-tools xfsprogs btrfs-progs
	cryptsetup-bin dmsetup thin-provisioning-tools mdadm nbd-server nbd-client)

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

# private_apt PROGRAM ARGUMENT...
private_apt() {
	local program=$1
	shift
	"$program" -q -o "Dir::Etc::SourceList=$cache/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State::Lists=$cache/apt/lists" -o Dir::State::Status=/dev/null \
		-o "Dir::Cache=$cache/apt" -o APT::Sandbox::User="$(id -un)" "$@"
}

# The package lists of the releases, not older than a day.
update_package_lists() {
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" || return
	{
		for release in bullseye bookworm bookworm-backports trixie sid; do
			echo "deb [signed-by=$keyring] $mirror $release main"
		done
		for release in bullseye bookworm trixie; do
			echo "deb [signed-by=$keyring] $security_mirror $release-security main"
		done
	} >"$cache/apt/sources.list"
	[ -z "$(find "$cache/apt/updated" -mtime -1 2>/dev/null)" ] || return 0
	private_apt apt-get update >"$cache/apt/log" 2>&1 && touch "$cache/apt/updated"
}

# The kernels that Debian has, oldest first.
list_releases() {
	private_apt apt-cache pkgnames linux-image- |
		sed -n -E 's/^linux-image-([0-9]+\.[0-9]+\.[0-9]+[-+][-+.~a-z0-9]*)-amd64$/\1/p' |
		grep -v -E -e '-(rt|cloud)$' -e '-dbg' | sort -V
}

# find_release KERNEL: the newest that begins with these numbers, or of all.
find_release() {
	if [ "$1" = newest ]; then
		list_releases | tail -n 1
	else
		list_releases | grep -E "^${1//[.+]/\\&}([-.+]|$)" | tail -n 1
	fi
}

# The packages of a kernel: newer ones have the modules in one of their own.
kernel_packages() {
	private_apt apt-cache depends "linux-image-$1-amd64" |
		sed -n -E 's/^ *Depends: (linux-(modules|binary|base)-[0-9].*)/\1/p'
	echo "linux-image-$1-amd64"
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

	mkdir -p "$tree"/{bin,modules,proc,sys,dev,root} || return
	cp "$(command -v busybox)" "$tree/bin/busybox" || return
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
	local release=$1 target=$2 work=$3 package version=$1-amd64
	local tree=$work/tree

	for package in $(kernel_packages "$release"); do
		(cd "$work" && private_apt apt-get download "$package" >>"$cache/apt/log" 2>&1 &&
			dpkg-deb -x "$package"_*.deb "$tree") || return
	done
	# One place for modules, whether it was merged with /usr or not.
	mkdir -p "$tree/lib" && [ ! -d "$tree/usr/lib/modules" ] || mv "$tree/usr/lib/modules" "$tree/lib/" || return
	/sbin/depmod --basedir "$tree" "$version" || return
	build_initrd "$tree" "$version" "$work/initrd" &&
		ext4_image "$work/modules.img" modules 1G "$tree/lib/modules" &&
		cp "$(find_vmlinuz "$tree")" "$work/vmlinuz" || return
	mkdir -p "$target" && mv "$work/vmlinuz" "$work/initrd" "$work/modules.img" "$target"
}

# get_kernel RELEASE: prints where it is.
get_kernel() {
	local target=$cache/kernels/$1 work status

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

# get_root: prints the image; its name says what is in it.
get_root() {
	local sum image work include

	sum=$(echo "${root_packages[@]}" | cksum | cut -d' ' -f1)
	image=$cache/root-$suite-$sum.img
	if [ ! -e "$image" ]; then
		work=$(mktemp -d "$cache/root.XXXXXX") || return
		include=$(IFS=, && echo "${root_packages[*]}")
		as_root chmod 755 "$work"
		as_root debootstrap --variant=minbase --include="$include" "$suite" "$work/root" "$mirror" \
			>"$cache/debootstrap.log" 2>&1 &&
			as_root rm -rf "$work"/root/var/cache/apt "$work"/root/var/lib/apt/lists &&
			as_root mkdir -p "$work"/root/{job,results,lib/modules} &&
			ext4_image "$work/image" root 3G "$work/root" && mv "$work/image" "$image"
		as_root rm -rf "$work"
	fi
	[ -e "$image" ] && echo "$image"
}
