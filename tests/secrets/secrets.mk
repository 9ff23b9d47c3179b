# Included by the top Makefile: the program with its wiping switched off.

UNWIPED := $(BUILD)/pop3-emitter-unwiped
UNWIPED_OBJECT := $(BUILD)/tests/secrets/unwiped.o

$(UNWIPED): $(CLI_OBJECTS) $(APP_OBJECTS) $(UNWIPED_OBJECT) \
		$(filter-out $(BUILD)/src/base/secret.o,$(LIB_OBJECTS))
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--as-needed $^ -o $@ $(GNUTLS_LIBS) $(APP_LIBS)

-include $(UNWIPED_OBJECT:.o=.d)
