# lstm: recurrent neural networks inside PostgreSQL.
#
# A PGXS makefile: all, install, installcheck, uninstall and clean as in any
# extension, PG_CONFIG= picks the server, CC= the compiler.  GNUmakefile beside
# it adds check, demo and the other targets that need more than a server.
#
#	WERROR=no		let warnings pass (for compilers we do not know)

EXTENSION = lstm lstm_postgis
MODULE_big = lstm
PGFILEDESC = "lstm - recurrent neural networks"

# Sources are found from here, so that a build in another folder works too
# (make -f /path/to/Makefile).
lstm_top := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
lstm_names = $(patsubst $(lstm_top)/%,%,$(sort $(wildcard $(addprefix $(lstm_top)/,$(1)))))

CORE_DIR = $(lstm_top)/src/core
include $(CORE_DIR)/core.mk

CORE_OBJS = $(patsubst %.c,%.o,$(call lstm_names,src/core/*.c))
PG_OBJS = $(patsubst %.c,%.o,$(call lstm_names,src/pg/*.c))
OBJS = $(CORE_OBJS) $(PG_OBJS)
# Overriding, because make check DATA=folder means another thing (GNUmakefile).
override DATA = $(call lstm_names,sql/lstm_postgis--*.sql)
# The script of extension lstm is put together from its parts, in the order of their names.
DATA_built = sql/lstm--0.1.0.sql
SQL_PARTS = $(sort $(wildcard $(lstm_top)/sql/lstm/*.sql))

# pg_regress reads test/sql and writes results/ here; expected/ is beside it.
# Each test stands alone: the driver creates the extension, and the tests named
# in REGRESS_FIRST only run early because they explain later failures.
REGRESS_FIRST = install
REGRESS_ALL = $(patsubst test/sql/%.sql,%,$(call lstm_names,test/sql/*.sql))
REGRESS = $(filter $(REGRESS_FIRST),$(REGRESS_ALL)) $(filter-out $(REGRESS_FIRST),$(REGRESS_ALL))
REGRESS_OPTS = --inputdir=test --load-extension=lstm
REGRESS_PREP = $(if $(filter .,$(lstm_top)),,regress-links)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
server_include := $(shell $(PG_CONFIG) --includedir-server)

# The server's headers are a system's headers: our warnings are for our code.
# Before version 16 PGDLLEXPORT is empty, and hidden symbols would stay hidden;
# src/pg/export.h does the rest.
PG_CPPFLAGS = -I$(lstm_top)/src -isystem $(server_include) \
	'-DPGDLLEXPORT=__attribute__((visibility("default")))'
WERROR ?= yes
WARNINGS_FATAL = $(if $(filter no,$(WERROR)),,-Werror)
SHLIB_LINK = -lm

# JIT bitcode would want clang beside the compiler and inline nothing of ours.
override with_llvm = no

include $(PGXS)

# Some flags of the server's compiler mean nothing to clang.
ifneq (,$(findstring clang,$(shell $(CC) --version 2>/dev/null)))
CLANG_CFLAGS = -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

# The server's CFLAGS come first, ours last; C11 declares where it needs to.
COMMON_CFLAGS = $(CFLAGS) $(CLANG_CFLAGS) $(CORE_STANDARD) $(CORE_WARNINGS) -Wno-declaration-after-statement \
	$(WARNINGS_FATAL) $(CFLAGS_SL) $(CFLAGS_$(notdir $*))

# -I of PGXS must not reach the core: the floors are built, not believed.
CORE_CPPFLAGS = -I$(lstm_top)/src $(filter -D% -W%,$(filter-out -DPGDLLEXPORT%,$(CPPFLAGS)))

$(CORE_OBJS): src/core/%.o: $(lstm_top)/src/core/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(CC) $(COMMON_CFLAGS) $(CORE_CPPFLAGS) -MMD -MP -c $< -o $@

sql/lstm--0.1.0.sql: $(SQL_PARTS) $(lstm_top)/Makefile
	@mkdir -p $(@D)
	cat $(SQL_PARTS) >$@

# A callback has the arguments that the server gives it, needed or not.
$(PG_OBJS): src/pg/%.o: $(lstm_top)/src/pg/%.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	$(CC) $(COMMON_CFLAGS) -Wno-unused-parameter $(CPPFLAGS) -include pg/export.h -MMD -MP -c $< -o $@

-include $(OBJS:.o=.d)

clean: clean-deps-lstm
.PHONY: clean-deps-lstm
clean-deps-lstm:
	rm -f $(OBJS:.o=.d)
	rm -rf results regression.diffs regression.out

# In another folder the tests run on links to the sources.
.PHONY: regress-links
regress-links:
	ln -sfn $(abspath $(lstm_top))/expected expected
	ln -sfn $(abspath $(lstm_top))/test test

# For tools/regress.sh.
.PHONY: regress-names
regress-names:
	@echo $(REGRESS)
