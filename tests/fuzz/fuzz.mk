# Included by the top Makefile: libFuzzer targets, tests/fuzz/fuzz_<name>.c with corpus/<name>/ and
# <name>.dict. `make fuzz` runs each for FUZZ_RUNS executions on a copy of its corpus.

FUZZ_RUNS   ?= 200000
FUZZ_CC     ?= clang
FUZZ_NAMES  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BUILD  := $(BUILD)/fuzz
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: fuzz fuzz-build
# Built by a make of its own, since all objects are compiled for the fuzzer.
fuzz-build:
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=$(FUZZ_CC) HARDEN= OPTIMIZE='-O2 -g1' \
		SANITIZE="-fsanitize=fuzzer-no-link $(FUZZ_SANITIZE)" \
		$(FUZZ_NAMES:%=$(FUZZ_BUILD)/fuzz_%)

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $(APP_OBJECTS) $(STATIC)
	$(Q)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(ALL_LDFLAGS) $< $(APP_OBJECTS) $(STATIC) \
		-o $@ $(GNUTLS_LIBS) $(APP_LIBS)

fuzz: fuzz-build
	@tests/fuzz/run-fuzzers $(FUZZ_BUILD) $(FUZZ_RUNS) $(FUZZ_NAMES)
