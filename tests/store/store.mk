# Included by the top Makefile: what the tests of the store preload.

SHIM := $(BUILD)/store-shim.so

$(SHIM): tests/store/shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -fPIC -fvisibility=hidden $(WARNINGS) -O2 -g -shared $< -o $@ -ldl
