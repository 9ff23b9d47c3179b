# Included by the top Makefile: the load generator, the two bare servers, and `make bench`.
# All are optimised whatever the build is, since they share the machine with the server.

BENCH_DIRECTORY := tests/bench
BENCH_FLAGS = -std=c17 -D_GNU_SOURCE $(WARNINGS) $(filter-out -O%,$(CFLAGS)) -O3
BENCH_LOAD := $(BENCH_DIRECTORY)/loadgen.c $(wildcard $(BENCH_DIRECTORY)/load_*.c)

$(BUILD)/loadgen: $(BENCH_LOAD) $(BENCH_DIRECTORY)/load.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_FLAGS) $(GNUTLS_CFLAGS) $(LDFLAGS) -o $@ $(BENCH_LOAD) $(GNUTLS_LIBS)

$(BUILD)/pollserver: $(BENCH_DIRECTORY)/pollserver.c $(BENCH_DIRECTORY)/bare.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_FLAGS) $(LDFLAGS) -o $@ $(BENCH_DIRECTORY)/pollserver.c

$(BUILD)/tlsserver: $(BENCH_DIRECTORY)/tlsserver.c $(BENCH_DIRECTORY)/bare.h src/net/tls_priorities.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_FLAGS) -Isrc $(GNUTLS_CFLAGS) $(LDFLAGS) -o $@ $(BENCH_DIRECTORY)/tlsserver.c \
		$(GNUTLS_LIBS)

# BENCH_ROUNDS, BENCH_SECONDS, BENCH_MESSAGES, BENCH_TRAFFIC, BENCH_ONLY, BENCH_JUDGE: see
# tests/bench/bench.py.
.PHONY: bench bench-tools
bench-tools: $(BUILD)/loadgen $(BUILD)/pollserver $(BUILD)/tlsserver

bench: all bench-tools
	BUILD='$(BUILD)' python3 $(BENCH_DIRECTORY)/bench.py
