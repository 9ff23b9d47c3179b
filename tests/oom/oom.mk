# Included by the top Makefile: `make check-oom`, each allocation of our own code failing in turn,
# under the address sanitizer. No hardening: it would send asprintf another way.

OOM_WRAPPED := malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf realpath \
	pthread_create
OOM_SOURCES := $(filter-out tests/oom/hook.c,$(wildcard tests/oom/*.c))
OOM_OBJECTS := $(OOM_SOURCES:%.c=$(BUILD)/%.o)
# The program itself, with a hook that makes it fail.
OOM_HOOK    := $(BUILD)/tests/oom/alloc.o $(BUILD)/tests/oom/hook.o
OOM_LINK     = $(CC) $(ALL_LDFLAGS) $(OOM_WRAPPED:%=-Wl,--wrap=%) $^ -o $@ $(GNUTLS_LIBS) $(APP_LIBS)

$(BUILD)/tests/oom/%.o: ALL_CFLAGS += -Itests

$(BUILD)/oom-tests: $(OOM_OBJECTS) $(APP_OBJECTS) $(STATIC)
	$(Q)$(OOM_LINK)

$(BUILD)/oom-emitter: $(OOM_HOOK) $(CLI_OBJECTS) $(APP_OBJECTS) $(STATIC)
	$(Q)$(OOM_LINK)

.PHONY: check-oom
check-oom: asan-build
	@$(ASAN_RUN) $(BUILD)/asan/oom-tests
	@$(ASAN_RUN) POP3_EMITTER=$(abspath $(BUILD)/asan/oom-emitter) $(PYTHON) tests/run.py --stage oom tests/oom

-include $(OOM_OBJECTS:.o=.d) $(BUILD)/tests/oom/hook.d
