# Included by the top Makefile: install and uninstall, into $(DESTDIR)$(PREFIX). Both go through one
# list, so that what the one puts there the other removes.

INSTALL ?= install

INSTALL_LIBRARY := libpop3emitter.so.$(VERSION)
INSTALL_LINKS   := $(SONAME) libpop3emitter.so
INSTALL_MANUALS := $(wildcard etc/man/*.[1-9])
INSTALL_UNITS   := $(wildcard etc/*.service)
INSTALL_EXAMPLE := $(wildcard etc/pop3-emitter.conf)

# $(call manual_path,etc/man/name.N): where that page goes.
manual_path = share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

# Below $(PREFIX).
INSTALLED := bin/pop3-emitter include/pop3_emitter.h lib/libpop3emitter.a \
	lib/$(INSTALL_LIBRARY) $(INSTALL_LINKS:%=lib/%) lib/pkgconfig/pop3-emitter.pc \
	$(foreach page,$(INSTALL_MANUALS),$(call manual_path,$(page))) \
	$(patsubst %,lib/systemd/system/%,$(notdir $(INSTALL_UNITS))) \
	$(patsubst %,share/doc/pop3-emitter/%,$(notdir $(INSTALL_EXAMPLE)))

INSTALL_ROOT = $(DESTDIR)$(PREFIX)

# PREFIX stands in pop3-emitter.pc, so a new one makes a new file.
.PHONY: install uninstall install-prefix
$(BUILD)/prefix: install-prefix
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@
$(BUILD)/pop3-emitter.pc: $(BUILD)/prefix

# The units name the program by its path.
install: all
	$(Q)$(INSTALL) -d $(sort $(dir $(INSTALLED:%=$(INSTALL_ROOT)/%)))
	$(Q)$(INSTALL) -m 755 $(PROGRAM) $(INSTALL_ROOT)/bin/
	$(Q)$(INSTALL) -m 644 src/pop3_emitter.h $(INSTALL_ROOT)/include/
	$(Q)$(INSTALL) -m 644 $(STATIC) $(SHARED) $(INSTALL_ROOT)/lib/
	$(Q)ln -sf $(INSTALL_LIBRARY) $(INSTALL_ROOT)/lib/$(SONAME)
	$(Q)ln -sf $(SONAME) $(INSTALL_ROOT)/lib/libpop3emitter.so
	$(Q)$(INSTALL) -m 644 $(BUILD)/pop3-emitter.pc $(INSTALL_ROOT)/lib/pkgconfig/
	$(Q)$(foreach page,$(INSTALL_MANUALS),$(INSTALL) -m 644 $(page) \
		$(INSTALL_ROOT)/$(call manual_path,$(page)) &&) true
	$(Q)$(foreach unit,$(INSTALL_UNITS),sed 's|/usr/local/bin/|$(PREFIX)/bin/|g' $(unit) | \
		$(INSTALL) -m 644 /dev/stdin $(INSTALL_ROOT)/lib/systemd/system/$(notdir $(unit)) &&) true
	$(Q)$(foreach file,$(INSTALL_EXAMPLE),$(INSTALL) -m 644 $(file) \
		$(INSTALL_ROOT)/share/doc/pop3-emitter/ &&) true

# Files, then the one folder that is nobody else's.
uninstall:
	$(Q)rm -f $(INSTALLED:%=$(INSTALL_ROOT)/%)
	$(Q)rmdir $(INSTALL_ROOT)/share/doc/pop3-emitter 2>/dev/null || true
