# SPDX-License-Identifier: MIT
# Beside the makefile that Verilator writes for a build: compiles Verilator's own headers once for all builds with the same flags. To read them takes
# a compiler three times as long as the C++ of a small design. Builds of several files have a precompiled header from Verilator already.
ifeq ($(VM_PARALLEL_BUILDS)$(VM_COVERAGE),00)

compile_headers := $(CXX) $(OPT_FAST) $(CXXFLAGS) $(filter-out -MMD $(VM_USER_CFLAGS),$(CPPFLAGS)) -x c++-header
headers_key := $(firstword $(shell (echo '$(filter-out -I%,$(compile_headers))'; $(CXX) --version; cat $(VERILATOR_ROOT)/include/*.h) | sha256sum))
headers := $(abspath ..)/headers-$(headers_key)/headers.h
override OPT_FAST += -Winvalid-pch -include $(headers)

$(VK_USER_OBJS) $(VM_PREFIX)__ALL.o: | $(headers).gch

# Written whole or not at all, by one of the processes that want it. ccache takes the key (.sum) for the contents, which differ from machine to machine.
$(headers).gch:
	mkdir -p $(@D)
	flock $(@D) sh -c 'test -e $@ || { printf "#include \"%s\"\n" verilated.h verilated_dpi.h verilated_vpi.h > $(headers) && \
	  echo $(headers_key) > $@.sum && $(compile_headers) $(headers) -o $@.part && mv $@.part $@; }'

endif
