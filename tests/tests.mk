# Included by the top Makefile: the checks. `make check` is what scripts/test runs once the packages
# are there; `make check-long` is the same with the full counts.

.PHONY: check check-long check-unit check-asan check-tsan check-valgrind check-coverage asan-build lint
check:
	@tests/stages
check-long:
	@tests/stages --long

# What clang compiles nowhere else: the fuzzers are made of the library and the layers above it.
.PHONY: clang-rest
clang-rest:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang OPTIMIZE=-O0 HARDEN= clang-objects
.PHONY: clang-objects
clang-objects: $(CLI_OBJECTS) $(UNIT_OBJECTS)

check-unit: $(UNIT)
	@POP3_STAGE=$(or $(POP3_STAGE),unit) $(UNIT)

# Sanitizers and coverage need objects of their own: a make of its own in a folder below BUILD.
# Warnings are judged in the plain builds: instrumented code makes gcc see some that are none. For a
# report the lines are enough.
SUBMAKE = $(MAKE) --no-print-directory HARDEN= WERROR=
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TSAN := -fsanitize=thread
# What is freed is kept for a while, but not by the hundred MiB, and of a block's stack the top.
ASAN_RUN := ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=12

# The short form (POP3_FULL=no) leaves out what can find nothing or finds it twice: under the thread
# sanitizer the unit tests without threads, under valgrind most of what the address sanitizer has
# seen.
POP3_FULL ?= yes
TSAN_SUITES := $(ALL_SUITES)
# Without the exhaustive suite, which takes hours there, and the one that runs out of descriptors,
# of which valgrind needs some itself; and those whose programs are watched by pidfd_open(2), which it
# does not know.
VALGRIND_SUITES := $(filter-out wire server_limits verifier backend_verify backend_token,$(ALL_SUITES))
ASAN_TESTS := tests/protocol tests/cli tests/store/test_odd_maildrops.py \
	tests/store/test_odd_disks.py tests/proxy \
	$(filter-out tests/tls/test_costs.py,$(wildcard tests/tls/test_*.py)) tests/enumeration/test_text.py \
	$(addprefix tests/e2e/test_,interop.py mechanisms.py plus.py verifier.py)
TSAN_TESTS := tests/protocol tests/tls/test_stls.py tests/tls/test_reload.py tests/e2e/test_verifier.py
ifeq ($(POP3_FULL),no)
TSAN_SUITES := $(filter backend_% deferral delivery_crowd events grants loop passwd_edit server% verifier \
	session_defer store_busy throttle workers,$(ALL_SUITES))
VALGRIND_SUITES := backend_sasl deferral emitter events sasl session session_end \
	session_flow tls_stream
ASAN_TESTS := tests/protocol/test_scripts.py tests/protocol/test_model.py tests/protocol/test_sasl.py \
	tests/store/test_odd_maildrops.py tests/tls/test_stls.py
TSAN_TESTS := tests/protocol/test_model.py
endif

# Of all that runs under the address sanitizer, which may be asked for at the same time.
asan-build:
	@mkdir -p $(BUILD)/asan
	+@flock $(BUILD)/asan $(SUBMAKE) BUILD=$(BUILD)/asan OPTIMIZE='-O1 -g1' SANITIZE='$(ASAN)' \
		all $(addprefix $(BUILD)/asan/,unit-tests oom-tests oom-emitter)

# The unit tests, and the program under other tests.
check-asan: asan-build $(BUILD)/plus-client
	@$(ASAN_RUN) POP3_STAGE=asan $(BUILD)/asan/unit-tests
	@$(ASAN_RUN) POP3_EMITTER=$(abspath $(BUILD))/asan/pop3-emitter POP3_RANDOM_OPS=2000 \
		POP3_PROXY_CUT_EVERY=9 POP3_STLS_RUNS=50 POP3_CUT_EVERY=97 POP3_CUT_KIB=600 POP3_TLS_RELOADS=10 \
		POP3_RECORDS_EVERY=4 POP3_RECORDS_KIB=300 \
		$(PYTHON) tests/run.py --stage asan $(ASAN_TESTS)

check-tsan:
	+@$(SUBMAKE) BUILD=$(BUILD)/tsan OPTIMIZE='-O1 -g1' SANITIZE='$(TSAN)' \
		SUITES='$(TSAN_SUITES)' all $(BUILD)/tsan/unit-tests
	@POP3_STAGE=tsan $(BUILD)/tsan/unit-tests
	@POP3_EMITTER=$(abspath $(BUILD))/tsan/pop3-emitter POP3_RANDOM_OPS=2000 \
		$(PYTHON) tests/run.py --stage tsan $(TSAN_TESTS)

# With few of the races, flipped octets and deliveries.
check-valgrind: $(UNIT)
	@POP3_STAGE=valgrind POP3_RACES=50 POP3_FLIP_VALUES=8 POP3_DELIVERIES=40 valgrind -q --error-exitcode=99 --leak-check=full \
		--show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect \
		--child-silent-after-fork=yes --fair-sched=yes --num-callers=20 \
		--suppressions=tests/unit/valgrind.supp \
		$(UNIT) $(VALGRIND_SUITES)

# By the suites that are about the layers that are judged.
COVERAGE_SUITES := $(filter deferral emitter events examples international line prepare sasl session% \
	text tls_stream utf8 view wire,$(ALL_SUITES))
check-coverage:
	+@$(SUBMAKE) BUILD=$(BUILD)/coverage OPTIMIZE='-O0 -g' SANITIZE=--coverage \
		SUITES='$(COVERAGE_SUITES)' $(BUILD)/coverage/unit-tests
	@find $(BUILD)/coverage -name '*.gcda' -delete
	@POP3_RESULTS= $(BUILD)/coverage/unit-tests
	@$(PYTHON) tests/coverage.py $(BUILD)/coverage 95 src/proto src/emitter

# The client of the tests of channel binding.
$(BUILD)/plus-client: tests/e2e/plus_client.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $< -o $@ $(GNUTLS_LIBS) -lgsasl

lint: all
	@CC='$(CC)' BUILD='$(BUILD)' tests/lint

-include tests/faults/faults.mk
