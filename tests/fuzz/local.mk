# SPDX-License-Identifier: Apache-2.0
# Each target is one fuzz_<parser>.c with LLVMFuzzerTestOneInput.  With --enable-fuzzing it becomes a
# libFuzzer program; without, replay.c runs it over its corpus in `make check`.
FUZZ_TARGETS =
if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
FUZZ_LIBS = libproxy.a libschleuse.a $(DEPS_LIBS)
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus
