# SPDX-License-Identifier: AGPL-3.0-or-later

VERSION := $(shell sed -n 's/^let version = "\(.*\)"$$/\1/p' Sources/Programs/docker-nfsd/Version.swift)
DESTDIR ?=
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= /etc/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/vendor-completions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d

BUILD := .build/release
BINARY := $(BUILD)/docker-nfsd
# Without these accessors a start looks types up by name some forty times, two fifths of its instructions. Laid side by side,
# the functions of a start touch a third fewer pages, which is 3 MB of resident memory; Scripts/start-up-order makes the list.
START := -Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors \
	-Xswiftc -Xfrontend -Xswiftc -function-sections \
	-Xlinker --symbol-ordering-file=$(CURDIR)/Packaging/start-up-order.txt -Xlinker --no-warn-symbol-ordering

# Static Swift runtime, so that a host needs nothing of Swift. Not a static executable: glibc resolves host names through
# shared modules. The rest makes it smaller; ARCHITECTURE.md has the figures.
RELEASE := -c release --static-swift-stdlib -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=safe \
	-Xlinker -z -Xlinker pack-relative-relocs -Xlinker --version-script=$(CURDIR)/Packaging/no-exports.map $(START)

# A static executable: it starts several times for each container, and the dynamic loader alone takes longer than all it does. It
# resolves no host names. Built apart, since the flags would have everything else built anew. At addresses that nobody can tell
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

.PHONY: mountpoint-runc
mountpoint-runc: ## Build the release of mountpoint-runc alone
	swift build $(STATIC_RELEASE) --product mountpoint-runc

.PHONY: debug
debug: ## Build everything for debugging, the tests too
	swift build --build-tests

# A pattern for `swift test --filter`, such as JSONTests or 'RuntimeTests.*Examples'.
FILTER ?=

.PHONY: test-one
test-one: ## Run the tests that match FILTER=
	@test -n "$(FILTER)" || { echo "make test-one: give FILTER=PATTERN, a regular expression for TARGET.SUITE/TEST" >&2; exit 1; }
	$(MAKE) debug
	swift test --skip-build --filter '$(FILTER)'

.PHONY: format
format: ## Format all Swift code
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: lint
lint: ## Check format, imports, names and scripts, in seconds
	Scripts/check-imports
	Scripts/check-style
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources
	@# Each script, with what it reads in. Left out: that mkdir's mode is of the deepest folder alone, and that busybox's shell is
	@# taken for dash. Both are meant.
	grep -rlE '^#!.*sh$$' --exclude-dir=.build Scripts .ci Benchmarks | \
		xargs shellcheck --external-sources --severity=warning --exclude=SC2174,SC2187

.PHONY: check
check: lint ## Check all that, and what the release links and weighs
	@if [ -x $(BINARY) ]; then Scripts/check-linkage $(BINARY); fi
	@if [ -x $(RUNTIME) ]; then Scripts/check-linkage $(RUNTIME); fi

TEST := DOCKER_NFSD_TEST_REQUIRE=root,docker,runtime,machine DOCKER_NFSD_TEST_BINARY=$(CURDIR)/$(BINARY) \
	DOCKER_NFSD_TEST_RUNTIME=$(CURDIR)/$(RUNTIME) Scripts/run-tests --skip-build

# What works with engines and machines of its own, and so has a run of its own.
MACHINES := DockerTests|MachineTests|SwarmTests|^RuntimeTests\.

.PHONY: test
test: build ## Run all tests: plain, with real engines and runtimes, in a virtual machine, and on a Swarm of two
	Scripts/test-needs
	Scripts/machine build
	$(MAKE) check
	swift build --build-tests
	@# One after another, for among hundreds of tests that run at once on two cores no time limit is a measure. It takes no longer.
	$(TEST) --no-parallel --skip '$(MACHINES)'
	$(TEST) --filter 'DockerTests|MachineTests'
	$(TEST) --filter '^RuntimeTests\.'
	DOCKER_NFSD_TEST_SWARM=1 $(TEST) --filter SwarmTests

.PHONY: test-runtime
test-runtime: build ## Run the tests of mountpoint-runc with real engines and runtimes
	Scripts/test-needs
	swift build --build-tests
	$(TEST) --filter '^RuntimeTests\.'

.PHONY: test-swarm
test-swarm: build ## Run the tests of a Swarm of two virtual machines
	Scripts/test-needs
	Scripts/machine build
	swift build --build-tests
	DOCKER_NFSD_TEST_SWARM=1 $(TEST) --filter SwarmTests

.PHONY: test-plain
test-plain: ## Run the tests whose needs this machine has, and skip the rest
	swift test --no-parallel

.PHONY: demo
demo: build ## Show it at work: the README's example in a virtual machine
	Scripts/demo

.PHONY: bench
bench: build ## Measure it against its peers
	$(MAKE) -C Benchmarks run DAEMON=$(CURDIR)/$(BINARY)
	$(MAKE) -C Benchmarks runtime RUNTIME=$(CURDIR)/$(RUNTIME)
	$(MAKE) -C Benchmarks run-machine DAEMON=$(CURDIR)/$(BINARY)

.PHONY: install
install: ## Install the programs, their units and their manual (after make; as root)
	@test -x $(BINARY) || { echo "make install: $(BINARY) is not there; run make first" >&2; exit 1; }
	@test -x $(RUNTIME) || { echo "make install: $(RUNTIME) is not there; run make first" >&2; exit 1; }
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5
	install -s -m 755 $(BINARY) $(DESTDIR)$(SBINDIR)/docker-nfsd
	@# Renamed into its place, for a container may need it at any moment.
	install -s -m 755 $(RUNTIME) $(DESTDIR)$(SBINDIR)/.mountpoint-runc.new
	mv $(DESTDIR)$(SBINDIR)/.mountpoint-runc.new $(DESTDIR)$(SBINDIR)/mountpoint-runc
	sed 's,@SBINDIR@,$(SBINDIR),' Packaging/systemd/docker-nfsd.service.in > $(DESTDIR)$(UNITDIR)/docker-nfsd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/docker-nfsd.service
	sed 's,@SBINDIR@,$(SBINDIR),' Packaging/systemd/mountpoint-runc-recover.service.in > $(DESTDIR)$(UNITDIR)/mountpoint-runc-recover.service
	chmod 644 $(DESTDIR)$(UNITDIR)/mountpoint-runc-recover.service
	install -m 644 Packaging/systemd/docker-nfsd.socket $(DESTDIR)$(UNITDIR)/docker-nfsd.socket
	for program in docker-nfsd mountpoint-runc; do \
		install -m 644 Packaging/man/$$program.8 $(DESTDIR)$(MANDIR)/man8/$$program.8 && \
		install -m 644 Packaging/man/$$program.json.5 $(DESTDIR)$(MANDIR)/man5/$$program.json.5 && \
		install -D -m 644 Packaging/completions/$$program.bash $(DESTDIR)$(BASHDIR)/$$program && \
		install -D -m 644 Packaging/completions/_$$program $(DESTDIR)$(ZSHDIR)/_$$program && \
		install -D -m 644 Packaging/completions/$$program.fish $(DESTDIR)$(FISHDIR)/$$program.fish || exit 1; done
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

.PHONY: uninstall
uninstall: ## Take everything away again; the state too with PURGE=1
	@# Refuses while containers, or Docker's settings, need mountpoint-runc; FORCE=1 does it all the same.
	@if [ -z "$(DESTDIR)" ]; then FORCE=$(FORCE) PROGRAM=$(SBINDIR)/mountpoint-runc sh Packaging/debian/prerm remove 2>&1; fi
	@if grep -qs ' /var/lib/docker-volumes-nfsd/' /proc/self/mountinfo && [ -z "$(DESTDIR)" ]; then \
		echo "make uninstall: volumes are still mounted below /var/lib/docker-volumes-nfsd; stop their containers first" >&2; fi
	rm -f $(DESTDIR)$(UNITDIR)/docker-nfsd.service $(DESTDIR)$(UNITDIR)/docker-nfsd.socket \
		$(DESTDIR)$(UNITDIR)/mountpoint-runc-recover.service
	for program in docker-nfsd mountpoint-runc; do \
		rm -f $(DESTDIR)$(SBINDIR)/$$program $(DESTDIR)$(BASHDIR)/$$program $(DESTDIR)$(ZSHDIR)/_$$program $(DESTDIR)$(FISHDIR)/$$program.fish \
			$(DESTDIR)$(MANDIR)/man8/$$program.8 $(DESTDIR)$(MANDIR)/man5/$$program.json.5 || exit 1; done
	@if [ -z "$(DESTDIR)" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@# An export may still be mounted there for a removal that was cut short: it must never be followed.
	@if [ "$(PURGE)" = 1 ]; then \
		if [ -z "$(DESTDIR)" ]; then \
			for place in $$(awk '$$5 ~ "^/run/docker-nfsd/" { print $$5 }' /proc/self/mountinfo); do umount -l "$$place" || exit 1; done; fi; \
		rm -rf --one-file-system $(DESTDIR)/var/lib/docker-nfsd $(DESTDIR)/run/docker-nfsd $(DESTDIR)/etc/docker/docker-nfsd.json; \
		rm -rf $(DESTDIR)/run/mountpoint-runc/plugins $(DESTDIR)/run/mountpoint-runc/volume-drivers $(DESTDIR)/run/mountpoint-runc/owed \
			$(DESTDIR)/var/lib/mountpoint-runc $(DESTDIR)/etc/docker/mountpoint-runc.json; \
		rm -f $(DESTDIR)/run/mountpoint-runc/recovered $(DESTDIR)/run/mountpoint-runc/recovery.lock; \
		rmdir $(DESTDIR)/run/mountpoint-runc/containers/* $(DESTDIR)/run/mountpoint-runc/containers $(DESTDIR)/run/mountpoint-runc 2>/dev/null || true; \
		rmdir $(DESTDIR)/var/lib/docker-volumes-nfsd/* $(DESTDIR)/var/lib/docker-volumes-nfsd 2>/dev/null || true; fi

.PHONY: package
package: build ## Make a Debian package in .stage/
	rm -rf .stage/package && mkdir -p .stage/package/DEBIAN
	$(MAKE) install DESTDIR=.stage/package PREFIX=/usr UNITDIR=/lib/systemd/system
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@ARCHITECTURE@/$$(dpkg --print-architecture)/" Packaging/debian/control.in > .stage/package/DEBIAN/control
	install -m 755 Packaging/debian/postinst Packaging/debian/prerm Packaging/debian/postrm .stage/package/DEBIAN/
	dpkg-deb --root-owner-group --build .stage/package .stage/docker-nfsd_$(VERSION).deb

.PHONY: clean
clean: ## Remove what was built
	rm -rf .build .stage
	$(MAKE) -C Benchmarks clean
