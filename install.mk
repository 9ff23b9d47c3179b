# Included by the top Makefile: install and uninstall, into $(DESTDIR)$(PREFIX). Both go through one
# list, so that what the one puts there the other removes.

INSTALL ?= install

INSTALL_LIBRARIES := $(notdir $(STATIC) $(SHARED) $(MAILDIR_STATIC) $(MAILDIR_SHARED))
INSTALL_LINKS   := $(SONAME) libpop3emitter.so $(MAILDIR_SONAME) libpop3maildir.so
INSTALL_HEADERS := pop3_emitter.h pop3_maildir.h
INSTALL_PC      := pop3-emitter.pc pop3-maildir.pc
INSTALL_MANUALS := $(wildcard etc/man/*.[1-9])
INSTALL_UNITS   := $(wildcard etc/*.service etc/*.socket)
INSTALL_EXAMPLE := $(wildcard etc/pop3-emitter.conf)
INSTALL_RECIPES := $(wildcard etc/recipes/* etc/fail2ban/*)

# $(call manual_path,etc/man/name.N): where that page goes.
manual_path = share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

# Below $(PREFIX).
INSTALLED := bin/pop3-emitter $(INSTALL_HEADERS:%=include/%) $(INSTALL_LIBRARIES:%=lib/%) \
	$(INSTALL_LINKS:%=lib/%) $(INSTALL_PC:%=lib/pkgconfig/%) \
	$(foreach page,$(INSTALL_MANUALS),$(call manual_path,$(page))) \
	$(patsubst %,lib/systemd/system/%,$(notdir $(INSTALL_UNITS))) \
	$(patsubst %,share/doc/pop3-emitter/%,$(notdir $(INSTALL_EXAMPLE))) \
	$(INSTALL_RECIPES:etc/%=share/doc/pop3-emitter/%)

INSTALL_ROOT = $(DESTDIR)$(PREFIX)

# PREFIX stands in the .pc files, so a new one makes new files.
.PHONY: install uninstall install-prefix
$(BUILD)/prefix: install-prefix
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@
$(INSTALL_PC:%=$(BUILD)/%): $(BUILD)/prefix

# Units and recipes name the program by its path; only a script is to be run.
install: all
	$(Q)$(INSTALL) -d $(sort $(dir $(INSTALLED:%=$(INSTALL_ROOT)/%)))
	$(Q)$(INSTALL) -m 755 $(PROGRAM) $(INSTALL_ROOT)/bin/
	$(Q)$(INSTALL) -m 644 $(INSTALL_HEADERS:%=src/%) $(INSTALL_ROOT)/include/
	$(Q)$(INSTALL) -m 644 $(INSTALL_LIBRARIES:%=$(BUILD)/%) $(INSTALL_ROOT)/lib/
	$(Q)ln -sf $(notdir $(SHARED)) $(INSTALL_ROOT)/lib/$(SONAME)
	$(Q)ln -sf $(SONAME) $(INSTALL_ROOT)/lib/libpop3emitter.so
	$(Q)ln -sf $(notdir $(MAILDIR_SHARED)) $(INSTALL_ROOT)/lib/$(MAILDIR_SONAME)
	$(Q)ln -sf $(MAILDIR_SONAME) $(INSTALL_ROOT)/lib/libpop3maildir.so
	$(Q)$(INSTALL) -m 644 $(INSTALL_PC:%=$(BUILD)/%) $(INSTALL_ROOT)/lib/pkgconfig/
	$(Q)$(foreach page,$(INSTALL_MANUALS),$(INSTALL) -m 644 $(page) \
		$(INSTALL_ROOT)/$(call manual_path,$(page)) &&) true
	$(Q)$(foreach unit,$(INSTALL_UNITS),sed 's|/usr/local/bin/|$(PREFIX)/bin/|g' $(unit) | \
		$(INSTALL) -m 644 /dev/stdin $(INSTALL_ROOT)/lib/systemd/system/$(notdir $(unit)) &&) true
	$(Q)$(foreach file,$(INSTALL_EXAMPLE),$(INSTALL) -m 644 $(file) \
		$(INSTALL_ROOT)/share/doc/pop3-emitter/ &&) true
	$(Q)$(foreach file,$(INSTALL_RECIPES),sed 's|/usr/local/bin/|$(PREFIX)/bin/|g' $(file) | \
		$(INSTALL) -m $(if $(suffix $(file)),644,755) /dev/stdin \
		$(INSTALL_ROOT)/$(file:etc/%=share/doc/pop3-emitter/%) &&) true

# Files, then the folders that are nobody else's.
uninstall:
	$(Q)rm -f $(INSTALLED:%=$(INSTALL_ROOT)/%)
	$(Q)rmdir $(INSTALL_ROOT)/share/doc/pop3-emitter/recipes \
		$(INSTALL_ROOT)/share/doc/pop3-emitter/fail2ban \
		$(INSTALL_ROOT)/share/doc/pop3-emitter 2>/dev/null || true
