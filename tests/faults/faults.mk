# Included by the top Makefile: deliberate faults must be caught by the tests.

.PHONY: check-faults
check-faults:
	@BUILD=$(BUILD) tests/faults/run-faults
