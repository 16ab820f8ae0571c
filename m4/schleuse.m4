dnl SPDX-License-Identifier: Apache-2.0
dnl Every flag is tried with the compiler and the linker before it is used.

dnl SCHLEUSE_TRY_FLAGS(VARIABLE, FLAGS): VARIABLE is those of FLAGS with which a program builds.
AC_DEFUN([SCHLEUSE_TRY_FLAGS], [
	$1=
	for flag in $2; do
		AC_MSG_CHECKING([whether $CC takes $flag])
		save_CFLAGS=$CFLAGS; save_LDFLAGS=$LDFLAGS
		CFLAGS="$CFLAGS -Werror $flag"; LDFLAGS="$LDFLAGS $flag"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [$1="$$1 $flag"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
		CFLAGS=$save_CFLAGS; LDFLAGS=$save_LDFLAGS
	done
])

AC_DEFUN([SCHLEUSE_SWITCHES], [
	AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers], [AddressSanitizer and UndefinedBehaviorSanitizer])],
		[], [enable_sanitizers=no])
	AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [ThreadSanitizer])], [], [enable_tsan=no])
	AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing], [libFuzzer targets (clang only)])], [], [enable_fuzzing=no])
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors (CI)])], [], [enable_werror=no])
	AS_IF([test "$enable_sanitizers" = yes && test "$enable_tsan" = yes],
		[AC_MSG_ERROR([--enable-sanitizers and --enable-tsan exclude each other])])
	SANITIZE=
	AS_IF([test "$enable_sanitizers" = yes], [SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"])
	AS_IF([test "$enable_tsan" = yes], [SANITIZE="-fsanitize=thread -fno-omit-frame-pointer"])
	FUZZ_ENGINE=
	AS_IF([test "$enable_fuzzing" = yes], [
		SANITIZE="$SANITIZE -fsanitize=fuzzer-no-link"
		FUZZ_ENGINE="-fsanitize=fuzzer"])
	AS_IF([test -n "$SANITIZE"], [
		AC_MSG_CHECKING([whether $CC links with $SANITIZE])
		save_CFLAGS=$CFLAGS; CFLAGS="$CFLAGS $SANITIZE"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
			[AC_MSG_RESULT([no]); AC_MSG_ERROR([$CC cannot link with $SANITIZE; for --enable-fuzzing use CC=clang with its runtime (libclang-rt-dev)])])
		CFLAGS=$save_CFLAGS])
	AC_SUBST([SANITIZE])
	AC_SUBST([FUZZ_ENGINE])
	AM_CONDITIONAL([FUZZING], [test "$enable_fuzzing" = yes])
])

dnl Optimisation over all files at link time.  Not the default: it takes time, and blurs what a debugger shows.
AC_DEFUN([SCHLEUSE_LTO], [
	AC_ARG_ENABLE([lto], [AS_HELP_STRING([--enable-lto], [optimise at link time (release builds)])], [], [enable_lto=no])
	LTO=
	AS_IF([test "$enable_lto" = yes], [
		SCHLEUSE_TRY_FLAGS([LTO], [-flto=auto -ffat-lto-objects])
		AS_IF([test -z "$LTO"], [AC_MSG_ERROR([$CC cannot optimise at link time])])])
	AC_SUBST([LTO])
])

AC_DEFUN([SCHLEUSE_WARNINGS], [
	SCHLEUSE_TRY_FLAGS([WARN], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
		-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wcast-qual -Wimplicit-fallthrough -Wno-unused-parameter \
		-Wno-missing-field-initializers])
	AS_IF([test "$enable_werror" = yes], [WARN="$WARN -Werror"])
	AC_SUBST([WARN])
])

AC_DEFUN([SCHLEUSE_HARDENING], [
	SCHLEUSE_TRY_FLAGS([HARDEN], [-fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE -fno-plt \
		-fno-strict-aliasing -fno-common])
	dnl Apart from the others: clang warns about linker flags it is given when it only compiles.
	SCHLEUSE_TRY_FLAGS([HARDEN_LD], [-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack])
	dnl _FORTIFY_SOURCE needs optimisation and confuses the sanitizers.
	AS_IF([test -z "$SANITIZE"], [
		AS_CASE([" $CFLAGS "], [*" -O0 "*], [], [*" -O"*], [
			AS_CASE([" $CFLAGS $CPPFLAGS "], [*_FORTIFY_SOURCE*], [], [HARDEN="$HARDEN -D_FORTIFY_SOURCE=2"])])])
	AC_SUBST([HARDEN])
	AC_SUBST([HARDEN_LD])
])
