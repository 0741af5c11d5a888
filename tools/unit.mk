# unit.mk
#		Programs that link the core alone: unit tests, fuzzers, benchmarks.
#
#	make -f tools/unit.mk VARIANT=float|double|asan [BUILD=folder] [CC=...]
#
# Runs in the root of the tree.  Every file with a main() in FOLDERS is a
# program; the other files, and those of test/unit, are there for all of them.
#	float	as in the extension
#	double	-DNN_DOUBLE: gradient checks and golden values
#	asan	float under AddressSanitizer and UndefinedBehaviorSanitizer

VARIANT ?= float
FOLDERS ?= test/unit
BUILD ?= build
OUT = $(BUILD)/unit/$(VARIANT)
ARCHIVE = $(OUT)/$(subst /,-,$(firstword $(FOLDERS))).a

CORE_DIR = src/core
include $(CORE_DIR)/core.mk

WERROR ?= yes
CFLAGS ?= -g -O2
VARIANT_CFLAGS_double = -DNN_DOUBLE
VARIANT_CFLAGS_asan = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
ALL_CFLAGS = $(CFLAGS) $(CORE_STANDARD) $(CORE_WARNINGS) $(if $(filter no,$(WERROR)),,-Werror) \
	-Isrc -Itest/unit

TEST_SRCS := $(wildcard $(addsuffix /*.c,$(sort test/unit $(FOLDERS))))
MAIN_SRCS := $(shell grep -lw '^main' $(TEST_SRCS) /dev/null)
PROGRAM_SRCS := $(filter $(addsuffix /%,$(FOLDERS)),$(MAIN_SRCS))
SUPPORT_SRCS := $(filter-out $(MAIN_SRCS),$(TEST_SRCS))
PROGRAMS = $(patsubst %.c,$(OUT)/%,$(PROGRAM_SRCS))
CORE_OBJS = $(patsubst %.c,$(OUT)/%.o,$(CORE_SRCS))
OBJS = $(CORE_OBJS) $(patsubst %.c,$(OUT)/%.o,$(PROGRAM_SRCS) $(SUPPORT_SRCS))

all: $(PROGRAMS)

# An archive takes into a program only what it uses, but a file that misses is
# still compiled: every core file builds in every variant.
$(ARCHIVE): $(CORE_OBJS) $(patsubst %.c,$(OUT)/%.o,$(SUPPORT_SRCS))
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAMS): $(OUT)/%: $(OUT)/%.o $(ARCHIVE)
	$(CC) $(ALL_CFLAGS) $(VARIANT_CFLAGS_$(VARIANT)) $^ -lm -o $@

$(OUT)/%.o: %.c tools/unit.mk $(CORE_DIR)/core.mk
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CFLAGS_$(notdir $*)) $(VARIANT_CFLAGS_$(VARIANT)) -MMD -MP -c $< -o $@

# The names of the programs, for the script that runs them.
list:
	@printf '%s\n' $(PROGRAMS)

-include $(OBJS:.o=.d)

.PHONY: all list
.SECONDARY:
