# pop3-emitter. `make help` lists the targets; BUILD=dir builds elsewhere.

VERSION  := 0.1.0
SOVERSION := 0
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
CC       ?= cc
OBJCOPY  ?= objcopy
PYTHON   ?= python3
V        ?=
Q        := $(if $(V),,@)
OPTIMIZE ?= -O2 -g
SANITIZE ?=
WERROR   ?= -Werror

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wformat=2 \
            -Wcast-qual -Wvla -Wmissing-prototypes $(WERROR)
HARDEN   ?= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fno-strict-overflow
GNUTLS_CFLAGS := $(shell pkg-config --cflags gnutls 2>/dev/null)
GNUTLS_LIBS   := $(shell pkg-config --libs gnutls 2>/dev/null || echo -lgnutls)

ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -Isrc -pthread -fPIC -fvisibility=hidden -MMD -MP \
             $(WARNINGS) $(OPTIMIZE) $(HARDEN) $(SANITIZE) $(GNUTLS_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

LIB_LAYERS := base emitter proto net
APP_LAYERS := auth store backend daemon
LIB_SOURCES := $(foreach l,$(LIB_LAYERS),$(wildcard src/$(l)/*.c))
APP_SOURCES := $(foreach l,$(APP_LAYERS),$(wildcard src/$(l)/*.c))
CLI_SOURCES := $(wildcard src/cli/*.c)
# Delivery is a library of its own: these, and the C library alone.
MAILDIR_SOURCES := $(addprefix src/,base/io.c base/utf8.c store/delivery.c store/folder.c \
                   store/header.c store/octets.c store/place.c store/unique.c)
# SUITES: those of the unit tests that are compiled.
ALL_SUITES := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
SUITES     ?= $(ALL_SUITES)
UNIT_SOURCES := $(filter-out tests/unit/test_%.c,$(wildcard tests/unit/*.c)) $(SUITES:%=tests/unit/test_%.c)
HEADERS := $(wildcard src/*.h src/*/*.h)

LIB_OBJECTS  := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
APP_OBJECTS  := $(APP_SOURCES:%.c=$(BUILD)/%.o)
CLI_OBJECTS  := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
MAILDIR_OBJECTS := $(MAILDIR_SOURCES:%.c=$(BUILD)/%.o)
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(BUILD)/%.o)

STATIC  := $(BUILD)/libpop3emitter.a
SONAME  := libpop3emitter.so.$(SOVERSION)
SHARED  := $(BUILD)/libpop3emitter.so.$(VERSION)
MAILDIR_STATIC := $(BUILD)/libpop3maildir.a
MAILDIR_SONAME := libpop3maildir.so.$(SOVERSION)
MAILDIR_SHARED := $(BUILD)/libpop3maildir.so.$(VERSION)
PROGRAM := $(BUILD)/pop3-emitter
UNIT    := $(BUILD)/unit-tests
APP_LIBS := -lcrypt -linih -lgsasl

.PHONY: all lib clean help
all: lib $(PROGRAM)
lib: $(STATIC) $(SHARED) $(MAILDIR_STATIC) $(MAILDIR_SHARED) $(BUILD)/pop3-emitter.pc \
	$(BUILD)/pop3-maildir.pc

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(STATIC): $(LIB_OBJECTS)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(SHARED): $(LIB_OBJECTS) src/pop3_emitter.map
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=src/pop3_emitter.map -Wl,-z,defs \
		-Wl,--as-needed $(ALL_LDFLAGS) $(LIB_OBJECTS) -o $@ $(GNUTLS_LIBS)
	ln -sf $(notdir $@) $(BUILD)/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/libpop3emitter.so

# One object whose inner names are local: they cannot meet those of a program that links it.
$(MAILDIR_STATIC): $(MAILDIR_OBJECTS)
	$(Q)rm -f $@
	$(Q)$(LD) -r -o $(BUILD)/libpop3maildir.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(BUILD)/libpop3maildir.o
	$(Q)$(AR) rcs $@ $(BUILD)/libpop3maildir.o

$(MAILDIR_SHARED): $(MAILDIR_OBJECTS) src/pop3_maildir.map
	$(Q)$(CC) -shared -Wl,-soname,$(MAILDIR_SONAME) -Wl,--version-script=src/pop3_maildir.map \
		-Wl,-z,defs -Wl,--as-needed $(ALL_LDFLAGS) $(MAILDIR_OBJECTS) -o $@
	ln -sf $(notdir $@) $(BUILD)/$(MAILDIR_SONAME)
	ln -sf $(MAILDIR_SONAME) $(BUILD)/libpop3maildir.so

$(BUILD)/%.pc: src/%.pc.in Makefile
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' $< > $@

$(PROGRAM): $(CLI_OBJECTS) $(APP_OBJECTS) $(STATIC)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--as-needed $^ -o $@ $(GNUTLS_LIBS) $(APP_LIBS)

# Targets, as `make help` prints them:
## all              the libraries and the program (the default)
## lib              the libraries alone
## check            every test, in its short form; check-long: the full counts
## check-unit       the unit tests; with check-asan, check-tsan, check-valgrind, check-oom,
##                  check-coverage, check-faults: the same and more under that eye
## fuzz             the fuzzers, FUZZ_RUNS executions each
## lint             format, layers, headers, symbols, man pages
## bench            comparison with Dovecot
## install          into $(DESTDIR)$(PREFIX); uninstall removes the same
## clean            remove $(BUILD)
help:
	@sed -n 's/^## /  /p' Makefile

# The list of suites is made from the file names, so that adding a test file is enough; it is new
# only if it is another one.
.PHONY: force
$(BUILD)/suites.inc: force
	@mkdir -p $(@D)
	@printf 'SUITE(%s)\n' $(SUITES) > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/tests/unit/main.o: $(BUILD)/suites.inc
$(BUILD)/tests/unit/%.o: ALL_CFLAGS += -Itests -I$(BUILD)

$(UNIT): $(UNIT_OBJECTS) $(APP_OBJECTS) $(STATIC)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ -o $@ $(GNUTLS_LIBS) $(APP_LIBS) -lcunit

clean:
	rm -rf $(BUILD)

-include tests/tests.mk
-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk
-include tests/oom/oom.mk
-include tests/store/store.mk
-include tests/secrets/secrets.mk
-include install.mk
-include $(LIB_OBJECTS:.o=.d) $(APP_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d)
