# SPDX-License-Identifier: BSD-2-Clause
# Sluice: plain GNU make, everything built under $(BUILD). `make help` lists the targets.

BUILD   ?= build
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,$(PREFIX)/lib/systemd/system)
MANDIR  ?= $(PREFIX)/share/man
# SAN=address,undefined or SAN=thread builds with sanitizers (use another BUILD with it: see asan)
SAN     ?=
# V=1 shows the commands
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-5s %s\n' '$(1)' '$@')

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)

LIBS_PC := libxdp libbpf libhs libpcre2-8 liburcu-qsbr libxxhash libcyaml jansson libmnl libcap-ng libseccomp libpcap libcrypto libmaxminddb zlib libbrotlidec \
           libzstd liblzma libnghttp2
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
OPT     := $(if $(SAN),-O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=undefined,-O2)
# -march: the machine the packages are built for decides; override with MARCH=native
MARCH   ?= x86-64-v2
ARCHFLAG := $(if $(filter x86_64,$(shell uname -m)),-march=$(MARCH))
PC_CFLAGS = $(shell pkg-config --cflags $(LIBS_PC))
PC_LIBS   = $(shell pkg-config --libs $(LIBS_PC))
CFLAGS  ?= -g
ALLCFLAGS = -std=gnu11 $(OPT) $(ARCHFLAG) $(WARN) $(CFLAGS) -I. -I$(BUILD) -D_GNU_SOURCE -DURCU_INLINE_SMALL_FUNCTIONS \
            -DSLUICE_VERSION='"$(VERSION)"' -DSLUICE_SYSCONFDIR='"$(SYSCONFDIR)"' \
            $(if $(filter thread%,$(SAN)),-DSLUICE_TSAN) -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2) $(PC_CFLAGS)
ALLLDFLAGS = $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now
LDLIBS  = $(PC_LIBS) -lpthread -lm

# Rooms. Everything but the two main files goes into one library that programs, tests and benches link.
ROOMS    := ips/base rules rules/kw ips/io ips/decode ips/flow ips/stream ips/app ips/detect ips/log ips/control ips
LIB_SRC  := $(filter-out ips/main.c,$(foreach r,$(ROOMS),$(wildcard $(r)/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB      := $(BUILD)/libsluice.a
CTL_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard ctl/*.c))
BPF_SKEL := $(BUILD)/bpf/steer.skel.h
UNIT_SRC := $(wildcard tests/unit/test_*.c tests/rules/test_*.c)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
BPF_BIN  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bpf/test_*.c))
STEER_LAB := $(patsubst %,$(BUILD)/tests/bpf/%.o,steer_lab steer_reader)
NET_BIN  := $(patsubst %.c,$(BUILD)/%,$(filter-out tests/net/evade_%,$(wildcard tests/net/*.c)))
NUMBERS  := $(BUILD)/tests/faults/numbers
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench_*.c))
# ipsd with faults on purpose, for tests (ips/base/fault.h); what calls them is compiled once more
FAULT_OBJ := $(patsubst %,$(BUILD)/faults/%.o,ips/detect/detect ips/detect/points ips/app/take)
BENCH_OBJ := $(patsubst %,$(BUILD)/tests/bench/%.o,inspector wire)
# libhtp is asked as another opinion on HTTP, where its package is installed
HTP_LIBS := $(shell pkg-config --silence-errors --libs htp)
HTP_BIN  := $(if $(HTP_LIBS),$(BUILD)/tests/differential/http_libhtp)
FUZZ_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
DEPS_SH  := appliance/install-packages

.PHONY: all check check-unit check-bpf check-net check-cases check-differential asan lint bench faults run install help deps clean fuzz programs
.DEFAULT_GOAL := all

all: ## build ipsd and ipsctl
all: $(BUILD)/ipsd $(BUILD)/ipsctl

# Targets that must work on a machine with nothing installed call the package script first, then make again:
# the flags above come from pkg-config, which has to be there when they are computed.
deps: ## install the Debian packages that building and testing need
	@$(DEPS_SH)

check: ## every test: unit, BPF, recorded cases, network (root)
	@$(DEPS_SH) --if-missing
	@tests/run-all BUILD=$(BUILD)

check-unit: ## unit tests and rule tests
	@tests/run-all BUILD=$(BUILD) unit

check-bpf: ## the steering program under BPF_PROG_TEST_RUN (root)
	@tests/run-all BUILD=$(BUILD) bpf

check-net: ## real programs across the bridge in network namespaces (root)
	@tests/run-all BUILD=$(BUILD) net

check-cases: ## the recorded cases in ../shared/cases, when they are there
	@tests/run-all BUILD=$(BUILD) cases

check-differential: ## the same alerts as Suricata 7 on the recorded cases' captures; SURICATA_RUN says how to run it
check-differential: $(BUILD)/ipsd
	@tests/differential/run-differential --ipsd $(BUILD)/ipsd
	@tests/differential/run-stateful --ipsd $(BUILD)/ipsd
	@tests/differential/run-app --ipsd $(BUILD)/ipsd

asan: ## all tests under address and undefined sanitizers; control path under the thread sanitizer
	@$(DEPS_SH) --if-missing
	@tests/run-asan

lint: ## include order, formatting, clang-tidy, cppcheck, gcc and clang builds without warnings
	@$(DEPS_SH) --if-missing
	@tests/lint

bench: ## measure, and print one table of ratios (root, idle machine)
	@$(DEPS_SH) --if-missing
	@$(MAKE) --no-print-directory programs
	@tests/bench/run-bench BUILD=$(BUILD)

faults: ## what crashes, hangs, overload, reloads and upgrades cost: a table (root, idle machine); Suricata beside it with SURICATA_RUN
	@$(DEPS_SH) --if-missing
	@$(MAKE) --no-print-directory programs
	@SLUICE_BUILD=$(BUILD) tests/faults/run-faults

run: ## the lab: client, appliance, web server; or BRIDGE=eth1:eth2 for real interfaces (root)
	@$(DEPS_SH) --if-missing
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) BRIDGE=$(BRIDGE) tests/net/run-lab

programs: ## everything that tests and benches run
programs: all $(BUILD)/ipsd-faults $(UNIT_BIN) $(BPF_BIN) $(NET_BIN) $(NUMBERS) $(BENCH_BIN) $(HTP_BIN)

fuzz: ## libFuzzer targets (clang) into build/fuzz; run-fuzz runs each for a while
	@tests/fuzz/run-fuzz

install: ## place programs, manual pages, configuration, rules and the systemd unit under DESTDIR and PREFIX
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
	           $(DESTDIR)$(SYSCONFDIR)/sluice/rules $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/logrotate.d
	install -m 755 $(BUILD)/ipsd $(DESTDIR)$(PREFIX)/sbin/ipsd
	install -m 755 $(BUILD)/ipsctl $(DESTDIR)$(PREFIX)/bin/ipsctl
	install -m 644 appliance/man/ipsd.8 appliance/man/ipsctl.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 appliance/man/ips.yaml.5 appliance/man/policy.yaml.5 $(DESTDIR)$(MANDIR)/man5/
	sed 's,@SYSCONFDIR@,$(SYSCONFDIR),g' appliance/ips.yaml > $(BUILD)/ips.yaml.installed
	[ -e $(DESTDIR)$(SYSCONFDIR)/sluice/ips.yaml ] || install -m 644 $(BUILD)/ips.yaml.installed $(DESTDIR)$(SYSCONFDIR)/sluice/ips.yaml
	[ -e $(DESTDIR)$(SYSCONFDIR)/sluice/policy.yaml ] || install -m 644 appliance/policy.yaml $(DESTDIR)$(SYSCONFDIR)/sluice/policy.yaml
	install -m 644 appliance/rules/*.rules $(DESTDIR)$(SYSCONFDIR)/sluice/rules/
	install -m 644 appliance/rules/classification.config $(DESTDIR)$(SYSCONFDIR)/sluice/
	install -m 644 appliance/logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/sluice
	sed 's,@SBINDIR@,$(PREFIX)/sbin,g; s,@BINDIR@,$(PREFIX)/bin,g; s,@SYSCONFDIR@,$(SYSCONFDIR),g' appliance/sluice.service > $(BUILD)/sluice.service
	install -m 644 $(BUILD)/sluice.service $(DESTDIR)$(UNITDIR)/sluice.service

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | sort -u | expand -t 14

clean: ## remove everything that was built
	rm -rf $(BUILD)

# --- how things are built ------------------------------------------------------------------------------------

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALLCFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/faults/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALLCFLAGS) -DSLUICE_FAULTS -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: %.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)
	$(Q)$(CLANG) -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I. -I/usr/include/$(shell uname -m)-linux-gnu -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	@PATH=$$PATH:/usr/sbin bpftool gen skeleton $< name $(*F)_bpf > $@.tmp && mv $@.tmp $@

.PRECIOUS: $(BUILD)/%.bpf.o
# whoever includes the skeleton needs it made first; after that the .d files know
$(LIB_OBJ) $(BPF_BIN:=.o) $(BENCH_BIN:=.o) $(STEER_LAB): | $(BPF_SKEL)
$(BUILD)/tests/bench/bench_flood.o: $(BUILD)/tests/bench/flood.skel.h

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^

$(BUILD)/ipsd: $(BUILD)/ips/main.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/ipsd-faults: $(BUILD)/ips/main.o $(FAULT_OBJ) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $^ $(LDLIBS)

# ipsctl includes only ips/base, rules/ (for `rules check`) and ips/control/proto.h
$(BUILD)/ipsctl: $(CTL_OBJ) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $^ $(LDLIBS)

$(BENCH_BIN): $(BENCH_OBJ)

$(BPF_BIN) $(BUILD)/tests/bench/bench_steer: $(STEER_LAB)

$(BUILD)/tests/net/evade: $(patsubst %,$(BUILD)/tests/net/%.o,evade_plan evade_chaff evade_wire evade_words)

$(UNIT_BIN) $(BPF_BIN) $(BENCH_BIN): %: %.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS) -lcmocka -lnetfilter_queue -lbrotlienc

$(NUMBERS): $(BUILD)/tests/faults/numbers_report.o

$(filter-out %/fates,$(NET_BIN)) $(NUMBERS): %: %.o
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $^ -lpthread

# asks the engine's own TCP, so it links the engine
$(BUILD)/tests/net/fates: %: %.o $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/differential/http_libhtp: $(patsubst %,$(BUILD)/tests/differential/%.o,http_libhtp http_readers http_explained http_streams http_made) $(LIB)
	$(call say,LINK)
	$(Q)$(CC) $(ALLLDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(HTP_LIBS) $(LDLIBS)

$(FUZZ_BIN): $(BUILD)/%: %.c $(LIB)
	@mkdir -p $(@D)
	$(CLANG) $(ALLCFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
