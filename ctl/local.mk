# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += schleusectl
schleusectl_SOURCES =
schleusectl_SOURCES += ctl/ask.c
schleusectl_SOURCES += ctl/ask.h
schleusectl_SOURCES += ctl/command.c
schleusectl_SOURCES += ctl/command.h
schleusectl_SOURCES += ctl/main.c
schleusectl_SOURCES += ctl/show.c
schleusectl_SOURCES += ctl/show.h
schleusectl_LDADD = libschleuse.a $(DEPS_LIBS)
