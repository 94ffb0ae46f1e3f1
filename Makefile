# SPDX-License-Identifier: AGPL-3.0-or-later

VERSION := $(shell sed -n 's/^let version = "\(.*\)"$$/\1/p' Sources/Programs/docker-nfsd/Version.swift)
# Where `make install` puts things; Scripts/install has the defaults of the folders that follow from PREFIX.
DESTDIR ?=
PREFIX ?= /usr/local
UNITDIR ?= /etc/systemd/system
export DESTDIR PREFIX UNITDIR SBINDIR MANDIR BASHDIR ZSHDIR FISHDIR DOCDIR

BUILD := .build/release
BINARY := $(BUILD)/docker-nfsd
PLUGIN := $(BUILD)/mountpoint-plugin
# Without these accessors a start looks types up by name some forty times, two fifths of its instructions. Laid side by side,
# the functions of a start touch a third fewer pages, which is 3 MB of resident memory; Scripts/start-up-order makes the list.
START := -Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors \
	-Xswiftc -Xfrontend -Xswiftc -function-sections \
	-Xlinker --symbol-ordering-file=$(CURDIR)/Packaging/start-up-order.txt -Xlinker --no-warn-symbol-ordering

# Static Swift runtime, so that a host needs nothing of Swift. Not a static executable: glibc resolves host names through
# shared modules. The rest makes it smaller; ARCHITECTURE.md has the figures.
RELEASE := -c release -Xswiftc -Osize --static-swift-stdlib -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=safe \
	-Xlinker -z -Xlinker pack-relative-relocs -Xlinker --version-script=$(CURDIR)/Packaging/no-exports.map $(START)

# A static executable: it starts several times for each container, and the dynamic loader alone takes longer than all it does. It
# resolves no host names. Built apart, since the flags would have everything else built again. At addresses that cannot be known
# beforehand (static-pie), since it runs as root: glibc starts no such program that has a path for libraries in it, and the build would
# add one of its own.
STATIC := .build/static
RUNTIME := $(STATIC)/release/mountpoint-runc
STATIC_RELEASE := -c release --scratch-path $(STATIC) -Xswiftc -static-executable -Xswiftc -Xclang-linker -Xswiftc -static-pie \
	--disable-local-rpath -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=safe -Xlinker -z -Xlinker pack-relative-relocs $(START)

.PHONY: build
build: ## Build the release (the default)
	swift build $(RELEASE) --product docker-nfsd
	$(MAKE) mountpoint-runc
	$(MAKE) mountpoint-plugin

.PHONY: mountpoint-runc
mountpoint-runc: ## Build the release of mountpoint-runc alone
	swift build $(STATIC_RELEASE) --product mountpoint-runc

.PHONY: mountpoint-plugin
mountpoint-plugin: ## Build the release of mountpoint-plugin alone
	swift build $(RELEASE) --product mountpoint-plugin

.PHONY: debug
debug: ## Build everything for debugging, the tests too
	@# An import of a module that Package.swift does not declare for the target is an error.
	swift build --build-tests --explicit-target-dependency-import-check error

# A pattern for `swift test --filter`, such as JSONTests or 'RuntimeTests.*Examples'.
FILTER ?=

.PHONY: test-one
test-one: ## Run the tests that match FILTER=
	@test -n "$(FILTER)" || { echo "make test-one: give FILTER=PATTERN, a regular expression for TARGET.SUITE/TEST" >&2; exit 1; }
	$(MAKE) debug
	swift test --skip-build --filter '$(FILTER)'

.PHONY: examples
examples: ## Build the plugins in Swift of Examples/ as the packages that they are
	for manifest in Examples/*/Package.swift; do \
		swift build --package-path "$${manifest%/*}" --scratch-path .build/examples || exit 1; done

.PHONY: format
format: ## Format all Swift code
	swift format --in-place --recursive Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: lint
lint: ## Check format, imports, names, lengths and scripts, in seconds
	Scripts/check-imports
	Scripts/check-style
	Scripts/check-lengths
	swift format lint --strict --recursive Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources
	@# Each script, with what it reads in. Left out: that mkdir's mode is of the deepest folder alone, and that busybox's shell is
	@# taken for dash. Both are meant.
	grep -rlE '^#!.*sh$$' --exclude-dir='.build*' Scripts .ci Benchmarks | \
		xargs shellcheck --external-sources --severity=warning --exclude=SC2174,SC2187

.PHONY: check
check: lint ## Check all that, and what the release links and weighs
	@if [ -x $(BINARY) ]; then Scripts/check-linkage $(BINARY); fi
	@if [ -x $(RUNTIME) ]; then Scripts/check-linkage $(RUNTIME); fi
	@if [ -x $(PLUGIN) ]; then Scripts/check-linkage $(PLUGIN); fi

TEST := DOCKER_NFSD_TEST_REQUIRE=root,docker,runtime,machine,prometheus,podman,compose,recent-machine DOCKER_NFSD_TEST_BINARY=$(CURDIR)/$(BINARY) \
	DOCKER_NFSD_TEST_RUNTIME=$(CURDIR)/$(RUNTIME) Scripts/run-tests --skip-build

# Tests at a time. Without this all of them begin at once, and no time limit means anything.
WIDTH := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(shell expr 2 \* $$(nproc))

# What works with engines and machines of its own, or stops and kills what it tests, and so has a run of its own.
MACHINES := DockerTests|MachineTests|SwarmTests|^RuntimeTests\.|^FaultTests\.

# Where the words of what failed are kept, so that they come last.
FAILURES := .build/test-failures
BESIDE := DOCKER_NFSD_TEST_FAILURES=$(FAILURES) $(TEST) --ignore-lock

# The newest engine and kernel that Debian has; one test is for what they do otherwise. `make test-engines` runs all of them there.
NEWEST := forky

.PHONY: shared-builds machine fuzz-build
# One after another, for they share a build folder.
shared-builds:
	swift build $(RELEASE) --product docker-nfsd
	$(MAKE) mountpoint-plugin
	$(MAKE) debug

machine:
	Scripts/machine build
	Scripts/machine build --suite $(NEWEST)

fuzz-build:
	Scripts/fuzz build

.PHONY: test
test: ## Run all tests: plain, with real engines and runtimes, in a virtual machine, and on a Swarm of two
	Scripts/test-needs
	@# First, for all builds take the versions of packages from the file that it writes.
	swift package resolve
	@# Each build by itself leaves a core idle for half of its time, and so does the making of the machine.
	$(MAKE) --jobs=3 shared-builds machine mountpoint-runc examples fuzz-build
	$(MAKE) check
	FUZZ_SEED=1 Scripts/fuzz run 5
	$(WIDTH) $(TEST) --parallel --skip '$(MACHINES)'
	@rm -f $(FAILURES)
	$(MAKE) --jobs=2 --keep-going host-tests machine-tests || { cat $(FAILURES); exit 1; }

# These two run beside one another: the first has engines of this host, and looks at the host's mounts, so its parts cannot; the
# second has virtual machines, whose mounts are their own, and waits for them for much of its time.
.PHONY: host-tests machine-tests
host-tests:
	$(BESIDE) --filter '^FaultTests\.'
	$(BESIDE) --filter DockerTests
	$(BESIDE) --filter '^RuntimeTests\.'
	DOCKER_NFSD_MACHINE_SUITE=$(NEWEST) $(BESIDE) --filter MachineTests/ServerFaults/withdrawnExport

machine-tests:
	$(BESIDE) --filter MachineTests
	DOCKER_NFSD_TEST_SWARM=1 $(BESIDE) --filter SwarmTests

.PHONY: test-long
test-long: build ## Run the long forms of the tests of faults, histories and load, for a night
	Scripts/test-needs
	Scripts/machine build
	$(MAKE) debug
	@# The second also when the first has failed: both take hours.
	status=0; for suites in '^FaultTests\.' '^MachineTests\.'; do \
		DOCKER_NFSD_TEST_LONG=1 $(TEST) --filter "$$suites" || status=1; done; exit $$status

# What HistoryTests or Histories has saved after a failure.
HISTORY ?=

.PHONY: recheck
recheck: ## Check the history in the file HISTORY= again
	@test -n "$(HISTORY)" || { echo "make recheck: give HISTORY=FILE, which a test has named" >&2; exit 1; }
	swift run recheck "$(HISTORY)"

.PHONY: test-runtime
test-runtime: build ## Run the tests of mountpoint-runc with real engines and runtimes
	Scripts/test-needs
	$(MAKE) debug
	$(TEST) --filter '^RuntimeTests\.'

.PHONY: test-swarm
test-swarm: build ## Run the tests of a Swarm of two virtual machines
	Scripts/test-needs
	Scripts/machine build
	$(MAKE) debug
	DOCKER_NFSD_TEST_LONG=1 DOCKER_NFSD_TEST_SWARM=1 $(TEST) --filter SwarmTests

# Of Debian, and all that there are if not given: `make test-engines SUITE=forky`.
SUITE ?=

.PHONY: test-engines
test-engines: build ## Run the tests that need a machine on machines of each Debian release, or of SUITE=, and write Docs/engines.md
	Scripts/test-needs
	$(MAKE) debug
	DOCKER_NFSD_TEST_BINARY=$(CURDIR)/$(BINARY) DOCKER_NFSD_TEST_RUNTIME=$(CURDIR)/$(RUNTIME) Scripts/engines $(SUITE)

.PHONY: test-plain
test-plain: ## Run the tests whose needs this machine has, and skip the rest
	$(WIDTH) swift test --parallel --skip '^FaultTests\.'

.PHONY: test-mutants
test-mutants: ## Change conditions of the rules one at a time, and list the changes that no test notices, COUNT= of them if not all
	Scripts/mutate build
	Scripts/mutate run $(if $(COUNT),--count $(COUNT))

# Seconds for each input, and the inputs if not all: `make fuzz TIME=3600 INPUT=json`.
TIME ?= 600
INPUT ?=

.PHONY: fuzz
fuzz: fuzz-build ## Fuzz what others write and the programs read, TIME= seconds each
	Scripts/fuzz run $(TIME) $(INPUT)

# Instrumented code is several times slower.
SANITIZED := $(WIDTH) DOCKER_NFSD_SANITIZED=1 DOCKER_NFSD_TEST_TIME_FACTOR=4 swift test --parallel --skip '$(MACHINES)'

.PHONY: test-address
test-address: ## Run the plain tests with the address sanitizer
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks-of-libraries.txt $(SANITIZED) --sanitize=address --scratch-path .build-address

.PHONY: test-thread
test-thread: ## Run the plain tests with the thread sanitizer
	rm -rf .build-thread/races && mkdir -p .build-thread/races
	@# Tests fork; and a report must not end a test, because Scripts/thread-races leaves some out. The two that are skipped end a process in
	@# the middle of a call, and it hangs with the sanitizer in it.
	TSAN_OPTIONS='die_after_fork=0 exitcode=0 log_path=$(CURDIR)/.build-thread/races/of' $(SANITIZED) --sanitize=thread --scratch-path .build-thread \
		--skip 'theProcessThatSendsOutlivesItsCaller|aKillAtAnyMomentLeavesBothOrNeither'
	Scripts/thread-races .build-thread/races

.PHONY: demo
demo: build ## Show it at work: the README's example in a virtual machine
	Scripts/demo

.PHONY: bench
bench: build ## Measure it against its peers
	$(MAKE) -C Benchmarks run DAEMON=$(CURDIR)/$(BINARY)
	$(MAKE) -C Benchmarks runtime RUNTIME=$(CURDIR)/$(RUNTIME) PLUGIN=$(CURDIR)/$(PLUGIN)
	$(MAKE) -C Benchmarks plugins RUNTIME=$(CURDIR)/$(RUNTIME) PLUGIN=$(CURDIR)/$(PLUGIN)
	$(MAKE) -C Benchmarks run-machine DAEMON=$(CURDIR)/$(BINARY)

.PHONY: install
install: ## Install the programs, their units and their manual (after make; as root)
	@DAEMON=$(BINARY) RUNTIME=$(RUNTIME) PLUGIN=$(PLUGIN) Scripts/install install

.PHONY: uninstall
uninstall: ## Take everything away again; the state too with PURGE=1
	@PURGE=$(PURGE) FORCE=$(FORCE) Scripts/install uninstall

.PHONY: package
package: build ## Make a Debian package in .stage/
	rm -rf .stage/package && mkdir -p .stage/package/DEBIAN
	$(MAKE) install DESTDIR=.stage/package PREFIX=/usr UNITDIR=/lib/systemd/system
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@ARCHITECTURE@/$$(dpkg --print-architecture)/" Packaging/debian/control.in > .stage/package/DEBIAN/control
	install -m 755 Packaging/debian/postinst Packaging/debian/prerm Packaging/debian/postrm .stage/package/DEBIAN/
	dpkg-deb --root-owner-group --build .stage/package .stage/docker-nfsd_$(VERSION).deb

.PHONY: clean
clean: ## Remove what was built
	rm -rf .build .build-* .stage
	$(MAKE) -C Benchmarks clean
