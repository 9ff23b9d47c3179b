# Included by the top Makefile: `make check-oom`, each allocation of our own code failing in turn,
# under the address sanitizer. No hardening: it would send asprintf another way.

OOM_WRAPPED := malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf realpath \
	pthread_create
OOM_SOURCES := $(wildcard tests/oom/*.c)
OOM_OBJECTS := $(OOM_SOURCES:%.c=$(BUILD)/%.o)

$(BUILD)/tests/oom/%.o: ALL_CFLAGS += -Itests

$(BUILD)/oom-tests: $(OOM_OBJECTS) $(APP_OBJECTS) $(STATIC)
	$(Q)$(CC) $(ALL_LDFLAGS) $(OOM_WRAPPED:%=-Wl,--wrap=%) $^ -o $@ $(GNUTLS_LIBS) $(APP_LIBS)

.PHONY: check-oom
check-oom:
	+@$(SUBMAKE) BUILD=$(BUILD)/oom OPTIMIZE='-O1 -g' SANITIZE='$(ASAN)' $(BUILD)/oom/oom-tests
	@$(BUILD)/oom/oom-tests

-include $(OOM_OBJECTS:.o=.d)
