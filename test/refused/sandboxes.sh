# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# sandboxes.sh - what well-known sandboxes refuse, as arguments of refuse.c
#
# To be sourced.

# The default profile of Docker (moby 25) and containerd (2.0), for a container with the usual
# capabilities, refuses all calls that it does not list. These are the ones that kernels still have
# and that libseccomp 2.5.1 knows. It also refuses some arguments of personality and socket, which
# are not played here. ENOSYS for clone3 makes libc take clone, whose flags the filter can see.
docker=(
	io_uring kcmp pidfd_getfd process_madvise userfaultfd perf_event_open bpf clone3=ENOSYS namespaces
	unshare setns mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree
	open_by_handle_at fanotify_init quotactl lookup_dcookie
	get_mempolicy set_mempolicy mbind migrate_pages move_pages
	add_key request_key keyctl
	acct swapon swapoff reboot kexec_load kexec_file_load init_module finit_module delete_module
	ioperm iopl vhangup syslog sethostname setdomainname settimeofday clock_settime
	sysfs ustat uselib
)
# gVisor has neither interface as it must be, and no RWF_NOWAIT.
gvisor=(io_setup=ENOSYS io_uring_setup=ENOSYS wipeonfork=EINVAL nowait=EOPNOTSUPP)
# SystemCallFilter=@system-service has all but this (status.sh holds that against systemd), and kills.
system_service=(pidfd_getfd=kill)
