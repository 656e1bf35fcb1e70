# SPDX-License-Identifier: MIT
#
# rtaio - POSIX AIO on io_uring and Linux AIO
#
#   make            the library, the librt.so.1 for old binaries, the launcher's programs
#   make check      all tests;  make lint  style;  make help  everything else
#
# Settings go on the command line or into config.mak.  VARIANT=asan|ubsan|tsan
# builds with a sanitizer below build/VARIANT.

-include config.mak

VERSION := 0.1.0
SOVERSION := 0

# Some write these in capitals.
prefix ?= $(or $(PREFIX),/usr/local)
bindir ?= $(or $(BINDIR),$(prefix)/bin)
libdir ?= $(or $(LIBDIR),$(prefix)/lib)
libexecdir ?= $(or $(LIBEXECDIR),$(prefix)/libexec)
includedir ?= $(or $(INCLUDEDIR),$(prefix)/include)
mandir ?= $(or $(MANDIR),$(prefix)/share/man)
completiondir ?= $(prefix)/share/bash-completion/completions

CC ?= gcc
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
ARCH := $(shell $(CC) -dumpmachine | cut -d- -f1)
# Those of the compiler, which may be a cross compiler.
AR = $(shell $(CC) -print-prog-name=ar)
NM = $(shell $(CC) -print-prog-name=nm)
OBJCOPY = $(shell $(CC) -print-prog-name=objcopy)
# Before version 14, gcc for riscv64 leaves atomic bytes to a library, which is bound statically, too.
ifeq ($(ARCH),riscv64)
ATOMIC_LIBS := -Wl,--push-state,-Bstatic -latomic -Wl,--pop-state
endif

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n'
else
say = @:
endif

# --- variants --------------------------------------------------------------

VARIANT ?=
B := build$(if $(VARIANT),/$(VARIANT))
VARIANT_FLAGS_asan := -fsanitize=address -fno-omit-frame-pointer
VARIANT_FLAGS_ubsan := -fsanitize=undefined -fno-sanitize-recover=undefined
VARIANT_FLAGS_tsan := -fsanitize=thread -Wno-tsan
VARIANT_FLAGS_fuzzer := -fsanitize=fuzzer-no-link,address -fno-omit-frame-pointer
VARIANT_FLAGS := $(VARIANT_FLAGS_$(VARIANT))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
BASE_FLAGS := -std=c11 -D_GNU_SOURCE $(WARNINGS) -MMD -MP $(VARIANT_FLAGS)
# Static probes, where the header is: systemtap-sdt-dev.
SDT_FLAGS := $(shell $(CC) -E -include sys/sdt.h -x c /dev/null >/dev/null 2>&1 && echo -DRTAIO_HAS_SDT)
# What a target needs for itself, whatever flags the user gives.
OWN_FLAGS :=
SHIM_FLAGS := $(BASE_FLAGS) $(SDT_FLAGS) -DRTAIO_VERSION='"$(VERSION)"' -Iinclude -Ishim -include shim/base/bind_now.h -fvisibility=hidden \
	-fasynchronous-unwind-tables $(if $(VARIANT),,-DNDEBUG)
TEST_FLAGS := $(BASE_FLAGS) -Itest/support

# --- the library -----------------------------------------------------------

SHIM := $(filter-out shim/tools/% shim/observers/%,$(sort $(wildcard shim/*/*.c)))
SHIM_OBJS := $(SHIM:%.c=$(B)/%.o)

# Observers are libraries of their own, which the library loads if the user asks for one.
OBSERVERS := $(addprefix $(B)/rtaio/,explain.so check.so memory.so)
OBSERVER_SRCS := $(wildcard shim/observers/*.c)

LIBRARY := $(B)/librtaio.so
ARCHIVE := $(if $(VARIANT),,$(B)/librtaio.a)
LIBRT := $(B)/librt/librt.so.1
STATUS := $(B)/rtaio-status
STATUS_SRCS := $(wildcard shim/tools/status*.c)
EXPLAIN := $(B)/rtaio-explain
EXPLAIN_SRCS := $(wildcard shim/tools/explain*.c) shim/tools/names.c
# It takes nothing of the library but headers.
DUMP := $(B)/rtaio-dump
DUMP_SRCS := $(filter-out $(wildcard shim/tools/status*.c shim/tools/explain*.c),$(wildcard shim/tools/*.c))
TOOL_SRCS := $(wildcard shim/tools/*.c)

# shim/base/bind_now.h has names looked up at load by an attribute of gcc; without it, as with clang, or without
# effect, as on riscv64, all are.
BINDING := $(if $(filter 1,$(if $(filter-out riscv64,$(ARCH)),$(shell echo '__has_attribute(noplt)' | $(CC) -E -P -x c - 2>/dev/null))),lazy,now)

# liburing goes in statically and stays hidden: libc is the only dependency. Of libaio only the header is used.
# Every program that is started pays for the loader's work: two segments instead of four, names
# looked up when they are used (but see shim/base/bind_now.h), and none for the compiler's start files, which
# serve libraries that are unloaded.
SHIM_LDFLAGS := -shared -Wl,-z,defs -Wl,-z,nodelete -Wl,--exclude-libs,ALL -Wl,-O1 -Wl,--hash-style=gnu \
	-Wl,-z,$(BINDING) -Wl,-z,relro -Wl,-z,noseparate-code $(if $(VARIANT),,-nostartfiles) $(VARIANT_FLAGS)
ifneq ($(findstring -fuse-ld=gold,$(CC) $(CFLAGS) $(LDFLAGS)),)
$(error rtaio: gold exports thread-local variables that are hidden: use ld.bfd, lld or mold)
endif
URING_CFLAGS := $(shell $(PKG_CONFIG) --cflags liburing 2>/dev/null)
comma := ,
# A part of libc since glibc 2.34; what an old compiler leaves to a library.
THREAD_LIBS := -lpthread -ldl $(ATOMIC_LIBS)
SHIM_LIBS := -Wl,-Bstatic $(or $(shell $(PKG_CONFIG) --static --libs liburing 2>/dev/null),-luring) -Wl,-Bdynamic $(ATOMIC_LIBS)

.PHONY: all
all: $(LIBRARY) $(LIBRT) $(STATUS) $(EXPLAIN) $(DUMP) $(ARCHIVE) $(OBSERVERS)

# $(call need,package,header,libraries,condition): one line instead of a compiler's many if it is not there.
need = printf '\#include <stdarg.h>\n\#include <stddef.h>\n\#include <stdint.h>\n\#include <setjmp.h>\n\#include <$(2)>\n%s\n' \
		'_Static_assert($(or $(4),1), ""); int main(void) { return 0; }' | \
	$(CC) $(URING_CFLAGS) $(CPPFLAGS) -D_GNU_SOURCE -x c - -o /dev/null $(LDFLAGS) $(3) 2>/dev/null || \
	{ echo "rtaio: $(1)" >&2; exit 1; }

$(B)/deps-found:
	@mkdir -p $(B)
	@command -v $(firstword $(CC)) >/dev/null || { echo "rtaio: there is no $(firstword $(CC)): install gcc, or name another compiler by CC=" >&2; exit 1; }
	@$(call need,the compiler cannot build a program: install libc6-dev,stdio.h)
	@$(call need,liburing.h or its static library is missing: install liburing-dev 2.3 or newer,liburing.h,$(SHIM_LIBS))
	@$(call need,liburing is older than 2.3: scripts/install-liburing builds a newer one and says how to use it,liburing.h,,sizeof(IORING_SETUP_DEFER_TASKRUN))
	@$(call need,libaio.h is missing: install libaio-dev,libaio.h)
	@$(call need,bsd/sys/tree.h is missing: install libbsd-dev,bsd/sys/tree.h)
	@touch $@

$(B)/test-deps-found: | $(B)/deps-found
	@$(call need,cmocka.h is missing$(comma) which the tests take: install libcmocka-dev,cmocka.h,-lcmocka)
	@touch $@

$(B)/seccomp-found: | $(B)/deps-found
	@$(call need,seccomp.h is missing$(comma) which the sandboxes of the tests take: install libseccomp-dev,seccomp.h,-lseccomp)
	@touch $@

# The object depends on the Makefile, too: flags are part of the result.
$(B)/shim/%.o: shim/%.c Makefile | $(B)/deps-found
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(SHIM_FLAGS) $(URING_CFLAGS) $(CFLAGS) $(CPPFLAGS) $(OWN_FLAGS) -fPIC -c $< -o $@

# ThreadSanitizer calls these before it is ready itself.
ifeq ($(VARIANT),tsan)
$(B)/shim/api/setrlimit.o $(B)/shim/api/close.o $(B)/shim/lane/fsize_limit.o: OWN_FLAGS = -fno-sanitize=thread
endif

# Its assembler text names a variable, which link-time optimization would move away.
$(B)/shim/api/dump_root.o: OWN_FLAGS = -fno-lto
# So does that of shim/base/symver.h with GCC 10.
ifneq ($(filter __clang__:8 __clang__:9 __clang__:10,$(shell echo '__clang__:__GNUC__' | $(CC) -E -P -x c -)),)
$(patsubst %.c,$(B)/%.o,$(shell grep -l base/symver.h shim/api/*.c)): OWN_FLAGS += -fno-lto
endif

$(B)/librtaio.so.$(VERSION): $(SHIM_OBJS) shim/api/librtaio-$(ARCH).map Makefile
	$(say) LINK $@
	$(Q)$(CC) $(SHIM_LDFLAGS) -Wl,-soname,librtaio.so.$(SOVERSION) \
		-Wl,--version-script=shim/api/librtaio-$(ARCH).map \
		$(SHIM_OBJS) $(SHIM_LIBS) $(THREAD_LIBS) $(LDFLAGS) -o $@

$(LIBRARY): $(B)/librtaio.so.$(VERSION)
	$(Q)ln -sf librtaio.so.$(VERSION) $(B)/librtaio.so.$(SOVERSION)
	$(Q)ln -sf librtaio.so.$(SOVERSION) $@

# The same under the name and with the version nodes that old binaries ask for.
$(LIBRT): $(SHIM_OBJS) shim/api/librt-$(ARCH).map Makefile
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) $(SHIM_LDFLAGS) -Wl,-soname,librt.so.1 \
		-Wl,--version-script=shim/api/librt-$(ARCH).map \
		$(SHIM_OBJS) $(SHIM_LIBS) $(THREAD_LIBS) $(LDFLAGS) -o $@

# The usual linker makes the one object: lld and mold do not know the options that gcc passes for it. With nolto-rel
# gcc writes machine code. What clang -flto writes can be read by the linker of LDFLAGS alone.
RELOCATABLE = -r -nostdlib $(if $(findstring clang,$(shell $(CC) --version)),$(if $(findstring -flto,$(CFLAGS)),$(filter \
	-fuse-ld=%,$(LDFLAGS))),-flinker-output=nolto-rel)

# One object, in which only what the library exports is global, under the default versions' names.
# A program may have a close or dup3 of its own, as with the shared library: those names are weak.
$(B)/librtaio.a: $(B)/shim/static.o $(SHIM_OBJS) $(B)/librtaio.so.$(VERSION)
	$(say) AR $@
	$(Q)$(CC) $(RELOCATABLE) $(CFLAGS) -o $(@:.a=-all.o) \
		$(B)/shim/static.o $(SHIM_OBJS) $(SHIM_LIBS)
	$(Q)$(NM) -D --defined-only --with-symbol-versions $(B)/librtaio.so.$(VERSION) | \
		sed -n 's/^[0-9a-f]* [^A] \(\(.*\)@@.*\)/\1 \2/p' >$(@:.a=.names)
	$(Q)cut -d' ' -f2 $(@:.a=.names) >$(@:.a=.global)
	$(Q)grep -v -e '^aio_' -e '^lio_' -e '^rtaio_' $(@:.a=.global) >$(@:.a=.weak)
	$(Q)$(OBJCOPY) --redefine-syms=$(@:.a=.names) --keep-global-symbols=$(@:.a=.global) \
		--weaken-symbols=$(@:.a=.weak) --wildcard --strip-unneeded-symbol='*@*' $(@:.a=-all.o) $(@:.a=.o)
	$(Q)rm -f $@ && $(AR) rcs $@ $(@:.a=.o)

$(B)/rtaio/explain.so: $(patsubst %.c,$(B)/%.o,$(wildcard shim/observers/explain*.c) shim/base/clock.c shim/base/iovec.c)
$(B)/rtaio/check.so: $(patsubst %.c,$(B)/%.o,$(wildcard shim/observers/check*.c) shim/base/clock.c shim/base/iovec.c)
$(B)/rtaio/memory.so: $(B)/shim/observers/memory.o
$(OBSERVERS): Makefile
	@mkdir -p $(@D)
	$(say) LINK $@
	$(Q)$(CC) -shared -Wl,-z,defs -Wl,-z,relro $(VARIANT_FLAGS) $(filter %.o,$^) $(THREAD_LIBS) $(LDFLAGS) -o $@

$(EXPLAIN): $(EXPLAIN_SRCS:%.c=$(B)/%.o) $(B)/shim/base/clock.o
	$(say) LINK $@
	$(Q)$(CC) $(VARIANT_FLAGS) $^ $(THREAD_LIBS) $(LDFLAGS) -o $@

$(STATUS): $(STATUS_SRCS:%.c=$(B)/%.o) $(SHIM_OBJS)
	$(say) LINK $@
	$(Q)$(CC) $(VARIANT_FLAGS) $^ $(SHIM_LIBS) $(THREAD_LIBS) $(LDFLAGS) -o $@

$(DUMP): $(DUMP_SRCS:%.c=$(B)/%.o)
	$(say) LINK $@
	$(Q)$(CC) $(VARIANT_FLAGS) $^ $(LDFLAGS) -o $@

# --- tests -----------------------------------------------------------------

SUPPORT_SRCS := $(wildcard test/support/*.c)
SUPPORT_OBJS := $(SUPPORT_SRCS:%.c=$(B)/%.o)
# Black box: not linked to the shim; the same binary runs on every implementation.
# Architectures that are younger than glibc 2.4 have no lio_listio of before.
OLD_LISTS := $(if $(filter aarch64 riscv64,$(ARCH)),test/abi/test_old_lio_listio.c)
BLACK_BOX := $(patsubst %.c,$(B)/%,$(filter-out $(OLD_LISTS),$(wildcard test/conformance/test_*.c test/transparency/test_*.c test/beyond/test_*.c test/abi/test_*.c test/stress/stress_*.c)))
# The programs of rtaio-conformance: the directory, and others that a requirement names.
ASSERTIONS := test/conformance/ASSERTIONS.md
CITED := $(shell grep -s -o -E 'test_[a-z_]+ *:' $(ASSERTIONS) | tr -d ' :' | sort -u)
CONFORMANCE := $(foreach program,$(BLACK_BOX),$(if $(findstring /conformance/,$(program))$(filter $(CITED),$(notdir $(program))),$(program)))
# Cases for `rtaio check`, run by a script.
MISUSE := $(addprefix $(B)/test/check/,wrong right right_elsewhere)
# White box: linked to some objects of the library, but to none that exports a function of libc's.
UNIT_TESTS := $(patsubst %.c,$(B)/%,$(wildcard test/unit/test_*.c))
UNIT_BASE := base/config base/log base/stats base/clock base/thread
PRELOADS := $(B)/test/transparency/plugin.so $(B)/test/transparency/fake_clock.so $(B)/test/transparency/wraps.so \
	$(B)/test/transparency/obvious.so

# Where there is io_uring, auto is that, and it has its name without the inline lane, which is more work for it.
IMPLEMENTATIONS ?= glibc auto libaio threads
# Programs that run without the inline lane as well: then every request takes another lane.
WITHOUT_INLINE := $(notdir $(filter-out %/test_header,$(filter $(B)/test/conformance/% $(B)/test/stress/%,$(BLACK_BOX)))) \
	test_close_reuse test_close_many test_cancel_deep test_offload test_offload_lone test_fork test_fork_in_callbacks test_frozen test_shared_block \
	test_starvation test_waitcomplete test_waitcomplete_requests test_waitcomplete_threads test_waitcomplete_life \
	test_eventfd test_eventfd_life test_freebsd test_freebsd_vectors
# So many programs, or scripts, at a time.  With four on two processors the whole check takes as long.
JOBS ?= 2
RUN_TESTS := scripts/run-tests --library $(LIBRARY) --jobs $(JOBS)

.SECONDARY: $(SUPPORT_OBJS)

$(B)/test/support/%.o: test/support/%.c Makefile | $(B)/test-deps-found
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(TEST_FLAGS) $(CFLAGS) $(CPPFLAGS) -c $< -o $@

$(B)/test/%: test/%.c $(SUPPORT_OBJS) Makefile
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(TEST_FLAGS) $(CFLAGS) $(CPPFLAGS) $< $(SUPPORT_OBJS) $(LDFLAGS) -o $@ -lcmocka -lrt -lutil $(THREAD_LIBS)

$(B)/test/unit/test_pin $(B)/test/unit/test_keeper: $(patsubst %,$(B)/shim/%.o,dispatch/keeper dispatch/pin engine/helper base/busy_poll engine/inbox request/request request/perform base/descriptor)
$(B)/test/unit/test_entry: $(patsubst %,$(B)/shim/%.o,api/entry request/aiocb request/request base/descriptor base/process)
$(B)/test/unit/test_fdqueue: $(patsubst %,$(B)/shim/%.o,order/fdqueue order/bypass order/filter order/in_flight request/request base/descriptor)
$(B)/test/unit/test_filter: $(patsubst %,$(B)/shim/%.o,order/filter request/vector request/request base/descriptor)
$(B)/test/unit/test_fd_hints: $(B)/shim/request/fd_hints.o
$(B)/test/unit/test_fd_kind: $(patsubst %,$(B)/shim/%.o,request/fd_kind request/fd_hints base/descriptor)
$(B)/test/unit/test_submit_ahead: $(B)/shim/lane/submit_ahead.o
$(B)/test/unit/test_copier: $(patsubst %,$(B)/shim/%.o,lane/copier engine/helper base/busy_poll engine/inbox request/request base/descriptor)
$(B)/test/unit/test_lines: $(B)/shim/base/descriptor.o
$(B)/test/unit/test_inbox: $(patsubst %,$(B)/shim/%.o,engine/inbox request/request base/descriptor)
$(B)/test/unit/test_pool_order: $(B)/shim/engine/pool_order.o
$(B)/test/unit/test_request: $(patsubst %,$(B)/shim/%.o,request/request base/descriptor)
$(B)/test/unit/test_uring_refusal: $(B)/shim/engine/uring_refusal.o
$(B)/test/unit/test_waiter: $(patsubst %,$(B)/shim/%.o,request/waiter request/request request/aiocb base/descriptor)
$(B)/test/unit/test_explain_data: $(patsubst %,$(B)/shim/tools/%.o,explain_data explain_tables explain_format)
$(B)/test/unit/test_explain_advice: $(patsubst %,$(B)/shim/tools/%.o,explain_advice explain_report explain_data explain_tables explain_format)
$(B)/test/unit/test_dump_requests: $(patsubst %,$(B)/shim/%.o,tools/dump_requests tools/image request/request base/descriptor)
# They write files of the library's version.
$(B)/test/unit/test_explain_data $(B)/test/unit/test_explain_advice: private OWN_FLAGS = -DRTAIO_VERSION='"$(VERSION)"'
$(UNIT_TESTS): $(B)/test/unit/%: test/unit/%.c $(SUPPORT_OBJS) $(UNIT_BASE:%=$(B)/shim/%.o) Makefile
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(TEST_FLAGS) -Ishim $(CFLAGS) $(CPPFLAGS) $(OWN_FLAGS) $< $(filter %.o,$^) $(LDFLAGS) -o $@ -lcmocka -lrt -lutil $(THREAD_LIBS)

$(B)/test/refused/refuse $(B)/test/filesystems/edges: $(B)/test/%: test/%.c
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(TEST_FLAGS) $(CFLAGS) $(CPPFLAGS) $< $(LDFLAGS) -o $@ $(OWN_LIBS) -lrt $(THREAD_LIBS)
$(B)/test/refused/refuse: private OWN_LIBS = -lseccomp
$(B)/test/refused/refuse: | $(B)/seccomp-found

# Its functions come before libc's for every library.
$(B)/test/transparency/test_own_names: private CFLAGS += -rdynamic

$(B)/test/transparency/plugin.so $(B)/test/transparency/fake_clock.so $(B)/test/transparency/wraps.so: $(B)/%.so: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(CFLAGS) $(CPPFLAGS) -fPIC -shared $< $(LDFLAGS) -o $@ $(ATOMIC_LIBS)

$(B)/test/transparency/obvious.so: test/transparency/obvious/obvious.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(URING_CFLAGS) $(CFLAGS) $(CPPFLAGS) -fPIC -shared $< $(LDFLAGS) -o $@ $(SHIM_LIBS) $(THREAD_LIBS)

# A program whose requests do not end, for test/scripts/dump.sh.
HANG := $(B)/test/scripts/hang

# Targets of libFuzzer, linked with the library itself: with CC=clang and VARIANT=fuzzer.
$(B)/test/hostile/%: test/hostile/%.c $(SHIM_OBJS)
	@mkdir -p $(@D)
	$(say) TEST $<
	$(Q)$(CC) $(BASE_FLAGS) -Iinclude -Ishim -fsanitize=fuzzer $(CFLAGS) $(CPPFLAGS) $< $(SHIM_OBJS) $(SHIM_LIBS) $(THREAD_LIBS) $(LDFLAGS) -o $@

# Programs of several files: one whose system calls fail, one whose requests the kernel strains, one that is
# killed, with the disk under it, one that signals interrupt.
SEVERAL := $(addprefix $(B)/test/,faults/faulted strain/strained kill/killed interrupt/interrupted)
$(B)/test/faults/faulted: $(wildcard test/faults/*.[ch])
$(B)/test/strain/strained: $(wildcard test/strain/*.[ch]) $(SUPPORT_OBJS)
$(B)/test/kill/killed: $(wildcard test/kill/*.[ch]) $(SUPPORT_OBJS)
$(B)/test/interrupt/interrupted: $(wildcard test/interrupt/*.[ch]) $(SUPPORT_OBJS)
$(SEVERAL): Makefile
	@mkdir -p $(@D)
	$(say) TEST $@
	$(Q)$(CC) $(filter-out -MMD -MP,$(TEST_FLAGS)) $(CFLAGS) $(CPPFLAGS) $(filter %.c %.o,$^) $(LDFLAGS) -o $@ -lcmocka -lrt -lutil $(THREAD_LIBS)

# What the commands run that try to break the library.
HARD_TESTS := $(SEVERAL) $(addprefix $(B)/test/,stress/large filesystems/atomic)

# Random programs and the model they are held against.
FUZZ := $(B)/test/fuzz/fuzz
FUZZ_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard test/fuzz/*.c))

$(B)/test/fuzz/%.o: test/fuzz/%.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(BASE_FLAGS) $(CFLAGS) $(CPPFLAGS) -c $< -o $@

$(FUZZ): $(FUZZ_OBJS)
	$(say) LINK $@
	$(Q)$(CC) $(VARIANT_FLAGS) $^ $(LDFLAGS) -o $@ -lrt $(THREAD_LIBS)

.PHONY: tests
tests: $(BLACK_BOX) $(UNIT_TESTS) $(PRELOADS) $(MISUSE) $(B)/test/refused/refuse $(B)/test/filesystems/edges $(FUZZ) $(HARD_TESTS) $(HANG)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

.PHONY: conformance-programs
conformance-programs: $(CONFORMANCE)

.PHONY: test-programs
test-programs: all tests

SHELL_TESTS := test/scripts/check.sh test/scripts/dump.sh test/faults/found.sh test/scripts/launcher.sh \
	test/scripts/environment.sh test/scripts/privileged.sh test/scripts/completion.sh test/scripts/status.sh \
	test/scripts/explain.sh test/scripts/recipes.sh test/scripts/conformance.sh test/scripts/valgrind.sh \
	test/scripts/assertions.sh test/scripts/differences.sh test/scripts/layers.sh test/scripts/sections.sh \
	test/scripts/run_tests.sh test/scripts/coverage.sh test/scripts/mutants.sh test/abi/preload_old.sh test/abi/idle.sh \
	test/abi/early.sh test/examples/run.sh test/fuzz/processes.sh test/scripts/install.sh \
	test/scripts/install_missing.sh test/scripts/abi.sh
# Longer ones, with real programs, sanitizers and the models.  Both lists begin with those that take longest,
# so that none of them runs alone at the end.
SYSTEM_TESTS := test/refused/run.sh scripts/check-sanitizers test/refused/old_kernels.sh test/programs/fio.sh "scripts/model --quick" \
	"scripts/check-interrupts --on auto --on no-inline --on libaio --on threads --steps 1500 --storm 20000 --jobs 1" test/mutants/sample.sh \
	"scripts/check-hostile --seconds 5 --on auto" "scripts/check-kill --times 5" "scripts/check-faults --quick" \
	test/programs/stress-ng.sh "scripts/check-stress --seconds 3 --on auto --thousands 100 stress_mixed" \
	test/programs/others.sh
# They set sysctls of the whole machine, so that nothing else can run meanwhile.
MACHINE_TESTS := test/refused/sysctls.sh "scripts/check-orders --count 20 --seconds 1 --on auto"

.PHONY: check test
check test: all tests ## all tests, on every implementation
	@failed=0; \
	$(RUN_TESTS) $(IMPLEMENTATIONS:%=--implementation %) $(TESTS) || failed=1; \
	echo "== without the inline lane"; \
	RTAIO_INLINE=0 $(RUN_TESTS) --implementation io_uring --implementation libaio $(or $(TESTS),$(WITHOUT_INLINE)) || failed=1; \
	scripts/side-by-side $(JOBS) "scripts/fuzz --check" $(if $(QUICK),,$(SYSTEM_TESTS)) $(SHELL_TESTS) $(UNIT_TESTS:%="timeout -k 5 120 %") || failed=1; \
	$(if $(QUICK),,JOBS=$(JOBS) scripts/side-by-side 1 $(MACHINE_TESTS) || failed=1;) \
	exit $$failed

.PHONY: $(addprefix check-,glibc auto io_uring libaio threads)
$(addprefix check-,glibc auto io_uring libaio threads): check-%: all tests ## one implementation
	@$(RUN_TESTS) --implementation $* $(TESTS)

.PHONY: conformance
conformance: all $(CONFORMANCE) ## requirements of POSIX, by implementations; also as build/conformance.html
	@scripts/rtaio-conformance --html build/conformance.html $(CONFORMANCE_FLAGS)

.PHONY: conformance-results
conformance-results: all $(CONFORMANCE) ## the same, as test/conformance/RESULTS.md
	@{ sed '/^<!-- conformance -->/q' test/conformance/RESULTS.md && \
		scripts/rtaio-conformance --markdown && echo '<!-- /conformance -->'; } >build/RESULTS.md
	@cp build/RESULTS.md test/conformance/RESULTS.md

.PHONY: conformance-musl
conformance-musl: all $(CONFORMANCE) ## the same with a column for musl
	@scripts/conformance-musl --html build/conformance-musl.html $(CONFORMANCE_FLAGS)

N ?= 1000
SEED ?= 1
.PHONY: fuzz
fuzz: all $(FUZZ) ## N random programs from SEED on each IMPLEMENTATION
	@scripts/fuzz --count $(N) --seed $(SEED) --jobs $(JOBS) --shrink $(IMPLEMENTATION:%=--implementation %)

.PHONY: check-traps
check-traps: all tests ## each trap of the kernel is caught by a test
	@scripts/check-traps

.PHONY: check-mutants
check-mutants: all tests ## each deliberate fault in the library is noticed by a test
	@scripts/check-mutants $(MUTANTS)

.PHONY: check-coverage
check-coverage: ## lines and branches of the library that the tests reach; reasons for the others
	@scripts/check-coverage --jobs $(JOBS)

.PHONY: check-generated
check-generated: all tests ## N faults made by rule, or 62, of which each must be noticed
	@scripts/check-mutants --generated --map $(if $(filter command,$(origin N)),--sample $(N)) \
		$(if $(filter command,$(origin SEED)),--seed $(SEED))

T ?= 600
.PHONY: stress
stress: all tests ## long runs of T seconds in all: memory, descriptors and threads stay as they are
	@scripts/check-stress --seconds $(T) $(if $(filter command,$(origin SEED)),--seed $(SEED))

.PHONY: bench
bench: all ## compare with glibc and with fio's own engines
	@scripts/bench

.PHONY: model
model: ## verify the lock-free protocols with spin
	@scripts/model

# --- style -----------------------------------------------------------------

SCRIPTS := scripts/rtaio scripts/rtaio-conformance scripts/demo scripts/check scripts/install-missing scripts/run-tests scripts/side-by-side \
	scripts/check-layers scripts/check-exports scripts/check-abi scripts/check-assertions scripts/check-differences scripts/check-traps scripts/check-mutants scripts/check-generated scripts/mutants.sh test/mutants/sample.sh scripts/check-coverage \
	scripts/check-sanitizers scripts/check-faults scripts/check-kill scripts/check-interrupts scripts/check-stress scripts/check-orders scripts/check-hostile scripts/check-compilers scripts/check-releases scripts/install-liburing scripts/check-packages scripts/chroot.sh scripts/fuzz scripts/conformance-musl scripts/bench scripts/model .ci/run \
	scripts/check-architectures scripts/check-kernels scripts/check-ltp scripts/guest/init scripts/guest/initrd scripts/guest/images.sh scripts/guest/filesystems \
	test/packages/installed.sh $(SHELL_TESTS) $(filter %.sh,$(SYSTEM_TESTS) $(MACHINE_TESTS))
C_FILES := $(wildcard shim/*.[ch] shim/*/*.[ch] include/*.h test/*/*.[ch] test/*/*/*.[ch])

ANALYSER_FLAGS := -std=c11 -D_GNU_SOURCE -DNDEBUG -DRTAIO_VERSION=\"$(VERSION)\" -Iinclude -Ishim -include shim/base/bind_now.h

.PHONY: lint
lint: $(LIBRARY) ## formatting, layers, exports, ABI, assertions, scripts, man pages, static analysis
	clang-format --dry-run --Werror $(C_FILES)
	@for file in $(C_FILES); do expand $$file | awk '/^ *\/?\*/ && length > 100 { print "'$$file': " $$0 }'; done | { ! grep .; }
	scripts/check-layers
	scripts/model --names
	scripts/check-exports $(LIBRARY)
	scripts/check-abi $(LIBRARY)
	scripts/check-assertions
	scripts/check-differences
	printf '%s\n' $(SHIM) $(OBSERVER_SRCS) $(TOOL_SRCS) | xargs -P $(JOBS) -n 12 sh -c 'clang-tidy --quiet "$$@" -- $(ANALYSER_FLAGS)' sh
	printf '%s\n' $(SHIM) $(OBSERVER_SRCS) $(TOOL_SRCS) | xargs -P $(JOBS) -I{} sh -c 'gcc $(ANALYSER_FLAGS) -O2 -fanalyzer -Werror -c {} -o /dev/null'
	shellcheck -x $(SCRIPTS)
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning,portability --suppress=missingIncludeSystem -Iinclude \
		--include=/usr/include/bsd/sys/queue.h --include=/usr/include/bsd/sys/tree.h -Ishim shim
	@for page in scripts/man/*.[137]; do \
		warnings=$$(LC_ALL=C.UTF-8 man --warnings -l -Tutf8 $$page 2>&1 >/dev/null); \
		[ -z "$$warnings" ] || { echo "$$page: $$warnings"; exit 1; }; done

.PHONY: format
format: ## format the C sources with clang-format
	clang-format -i $(C_FILES)

# --- install ---------------------------------------------------------------

PROGRAM_DIR := $(libexecdir)/rtaio
CONFORMANCE_DIR := $(PROGRAM_DIR)/conformance

SUBSTITUTE = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@SOVERSION@|$(SOVERSION)|g' \
	-e 's|@PREFIX@|$(prefix)|g' -e 's|@LIBDIR@|$(libdir)|g' -e 's|@LIBEXECDIR@|$(PROGRAM_DIR)|g' -e 's|@INCLUDEDIR@|$(includedir)|g'
# The manuals can be read in the tree, so that they name the directories that are the default.
SUBSTITUTE_MANUAL = $(SUBSTITUTE) -e 's|/usr/local/libexec/rtaio|$(PROGRAM_DIR)|g' -e 's|/usr/local/bin/|$(bindir)/|g' -e 's|/usr/local/lib/|$(libdir)/|g'

# $(call quoted,text): a word of the shell.  $(call to,path): where it is put, as such a word.
quoted = '$(subst ','\'',$(1))'
to = $(call quoted,$(DESTDIR)$(1))
# $(call install_text,source,mode,path) and the same for a manual.  Modes do not depend on the umask.
install_text = $(SUBSTITUTE) $(1) | install -m $(2) /dev/stdin $(call to,$(3))
# $(call install_library,source,path): a program that starts meanwhile finds the old one or the new one, whole.
install_library = install -m 755 $(1) $(call to,$(libdir)/rtaio/new) && mv -f $(call to,$(libdir)/rtaio/new) $(call to,$(2))
install_manual = $(SUBSTITUTE_MANUAL) scripts/man/$(1) | install -m 644 /dev/stdin $(call to,$(mandir)/$(2)/$(1))

# rtaio-conformance is installed where its programs can be built.
HAS_CMOCKA := $(shell $(CC) $(CPPFLAGS) -E -include stdarg.h -include stddef.h -include stdint.h -include setjmp.h \
	-include cmocka.h -x c /dev/null >/dev/null 2>&1 && echo yes)

.PHONY: check-directories
check-directories:
	@case $(call quoted,$(prefix)$(libdir)$(includedir)) in *[[:space:]:]*) echo "rtaio: LD_PRELOAD and pkg-config cannot name" \
		"a path with a space or a colon: choose another prefix, libdir or includedir" >&2; exit 1;; esac
	@for directory in $(foreach name,bindir libdir libexecdir includedir mandir,$(call quoted,$($(name)))); do case "$$directory" in \
		[!/]*|*[\&\|\\\'\"]*) echo "rtaio: not an absolute path, or with & or | or \\ or a quote in it: $$directory" >&2; exit 1;; esac; done

.PHONY: install
install: check-directories all $(if $(HAS_CMOCKA),install-conformance) ## to $(DESTDIR)$(prefix)
	install -d $(call to,$(bindir)) $(call to,$(libdir)/rtaio) $(call to,$(libdir)/pkgconfig) \
		$(call to,$(libdir)/cmake/rtaio) \
		$(call to,$(PROGRAM_DIR)) $(call to,$(includedir)) $(call to,$(mandir)/man1) \
		$(call to,$(mandir)/man3) $(call to,$(mandir)/man7) $(call to,$(completiondir))
	$(call install_library,$(B)/librtaio.so.$(VERSION),$(libdir)/librtaio.so.$(VERSION))
	ln -sf librtaio.so.$(VERSION) $(call to,$(libdir)/librtaio.so.$(SOVERSION))
	ln -sf librtaio.so.$(SOVERSION) $(call to,$(libdir)/librtaio.so)
	$(if $(ARCHIVE),install -m 644 $(ARCHIVE) $(call to,$(libdir)))
	$(call install_library,$(LIBRT),$(libdir)/rtaio/librt.so.1)
	$(foreach observer,$(OBSERVERS),$(call install_library,$(observer),$(libdir)/rtaio/$(notdir $(observer))) &&) true
	install -m 755 $(STATUS) $(EXPLAIN) $(DUMP) $(call to,$(PROGRAM_DIR))
	install -m 644 include/rtaio.h $(call to,$(includedir))
	$(call install_text,scripts/rtaio,755,$(bindir)/rtaio)
	$(call install_text,scripts/rtaio.pc.in,644,$(libdir)/pkgconfig/rtaio.pc)
	$(call install_text,scripts/rtaioConfig.cmake.in,644,$(libdir)/cmake/rtaio/rtaioConfig.cmake)
	$(call install_text,scripts/rtaioConfigVersion.cmake.in,644,$(libdir)/cmake/rtaio/rtaioConfigVersion.cmake)
	$(call install_manual,rtaio.1,man1)
	$(call install_manual,aio_readv.3,man3)
	ln -sf aio_readv.3 $(call to,$(mandir)/man3/aio_writev.3)
	$(call install_manual,rtaio.3,man3)
	$(call install_manual,aio_waitcomplete.3,man3)
	$(call install_manual,rtaio.7,man7)
	install -m 644 scripts/rtaio.bash-completion $(call to,$(completiondir)/rtaio)

.PHONY: install-conformance
install-conformance: check-directories $(CONFORMANCE)
	install -d $(call to,$(CONFORMANCE_DIR)/programs) $(call to,$(bindir)) $(call to,$(mandir)/man1)
	install -m 755 $(CONFORMANCE) $(call to,$(CONFORMANCE_DIR)/programs)
	install -m 755 scripts/run-tests scripts/conformance-report $(call to,$(CONFORMANCE_DIR))
	install -m 644 test/differences.txt $(wildcard $(ASSERTIONS)) $(call to,$(CONFORMANCE_DIR))
	$(call install_text,scripts/rtaio-conformance,755,$(bindir)/rtaio-conformance)
	$(call install_manual,rtaio-conformance.1,man1)

.PHONY: uninstall
uninstall: ## remove the installed files
	rm -f $(call to,$(libdir)/librtaio.so.$(VERSION)) $(call to,$(libdir)/librtaio.so.$(SOVERSION)) \
		$(call to,$(libdir)/librtaio.so) $(call to,$(libdir)/librtaio.a) $(call to,$(libdir)/rtaio/librt.so.1) \
		$(foreach observer,$(OBSERVERS),$(call to,$(libdir)/rtaio/$(notdir $(observer)))) \
		$(call to,$(PROGRAM_DIR)/rtaio-status) $(call to,$(PROGRAM_DIR)/rtaio-explain) \
		$(call to,$(PROGRAM_DIR)/rtaio-dump) $(call to,$(includedir)/rtaio.h) \
		$(call to,$(bindir)/rtaio) $(call to,$(libdir)/pkgconfig/rtaio.pc) \
		$(call to,$(mandir)/man1/rtaio.1) $(call to,$(mandir)/man7/rtaio.7) \
		$(call to,$(mandir)/man3/aio_readv.3) $(call to,$(mandir)/man3/aio_writev.3) \
		$(call to,$(mandir)/man3/rtaio.3) $(call to,$(mandir)/man3/aio_waitcomplete.3) \
		$(call to,$(completiondir)/rtaio) \
		$(call to,$(bindir)/rtaio-conformance) $(call to,$(mandir)/man1/rtaio-conformance.1)
	rm -rf $(call to,$(CONFORMANCE_DIR)) $(call to,$(libdir)/cmake/rtaio)
	-rmdir $(call to,$(libdir)/rtaio) $(call to,$(PROGRAM_DIR)) 2>/dev/null

# --- packages --------------------------------------------------------------

TARBALL := build/rtaio-$(VERSION).tar.gz
# What the repository has; without one, what was unpacked.
SOURCE_FILES = $(if $(wildcard .git),git ls-files,find . ! -type d ! -path './build/*' ! -path './debian/*' -printf '%P\n')
SOURCE_DATE = $(or $(SOURCE_DATE_EPOCH),$(shell $(if $(wildcard .git),git log -1 --format=%ct,stat -c %Y Makefile)))

.PHONY: dist
dist: ## build/rtaio-VERSION.tar.gz, the same whoever makes it
	@mkdir -p build
	$(say) TAR $(TARBALL)
	$(Q)$(SOURCE_FILES) | LC_ALL=C sort | tar -c -T - --transform='s|^|rtaio-$(VERSION)/|S' --owner=0 --group=0 --numeric-owner \
		--mode=go=rX,u+w --mtime=@$(SOURCE_DATE) | gzip -9n >$(TARBALL)

.PHONY: check-dist
check-dist: dist ## the tarball builds and passes by itself, and makes the same tarball
	@work=$$(mktemp -d /var/tmp/rtaio-dist.XXXXXX) && trap 'rm -rf "$$work"' EXIT && chmod 755 "$$work" && \
		tar -x -z -f $(TARBALL) -C "$$work" && tarball=$$PWD/$(TARBALL) && cd "$$work/rtaio-$(VERSION)" && \
		$(MAKE) dist && cmp $(TARBALL) "$$tarball" && $(MAKE) WERROR=1 all tests && $(MAKE) WERROR=1 QUICK=1 check

# A tree for dpkg-buildpackage, whose packages appear beside it.
DEB_TREE := build/deb/rtaio-$(VERSION)

.PHONY: deb-tree
deb-tree: dist
	@rm -rf build/deb && mkdir -p build/deb
	@tar -x -z -f $(TARBALL) -C build/deb
	@cp $(TARBALL) build/deb/rtaio_$(VERSION).orig.tar.gz
	@cp -R scripts/debian $(DEB_TREE)

.PHONY: deb
deb: deb-tree ## Debian's packages, in build/deb; DEB_FLAGS= for dpkg-buildpackage
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage -us -uc $(DEB_FLAGS)

.PHONY: rpm
rpm: dist ## RPM packages, in build/rpm; RPM_FLAGS= for rpmbuild
	@rm -rf build/rpm && mkdir -p build/rpm
	@$(SUBSTITUTE) scripts/rtaio.spec.in >build/rpm/rtaio.spec
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS rpmbuild -bb --define "_topdir $$PWD/build/rpm" --define "_sourcedir $$PWD/build" \
		$(RPM_FLAGS) build/rpm/rtaio.spec

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z$$(].*## /{t=$$1; sub(/^\$$\(addprefix check-,.*/, "check-NAME", t); \
		printf "  make %-14s %s\n", t, $$2}' Makefile
	@echo "  variables: prefix libdir DESTDIR CC CFLAGS WERROR=1 V=1 VARIANT=asan|ubsan|tsan TESTS= JOBS=2 WRAPPER="

-include $(SHIM_OBJS:.o=.d) $(patsubst %.c,$(B)/%.d,$(OBSERVER_SRCS) $(TOOL_SRCS)) $(BLACK_BOX:=.d) $(UNIT_TESTS:=.d) $(SUPPORT_OBJS:.o=.d) $(FUZZ_OBJS:.o=.d)
