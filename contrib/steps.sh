# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# steps - what ./quickstart and ./check share: one visible step after the other, packages, folders.
#
# A step runs one command with its output in a log of its own.  On a terminal a line counts the seconds;
# elsewhere there is one line when it begins and one when it ends.  A step that fails says which one it
# was, where its log is, its last lines and what to do about it.  Needs only a POSIX shell.

[ -n "${HOME:-}" ] || HOME=$(getent passwd "$(id -u)" | cut -d: -f6) # bare environments have none
export HOME
cache=${XDG_CACHE_HOME:-$HOME/.cache}/schleuse
logs=$cache/logs
steps_child=
steps_n=0

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s\n' "$*" >&2
	exit 1
}

# Two clones of the project must not share a build folder: the name ends in a sum of the source's path.
build_folder() # NAME SOURCE
{
	printf '%s/%s-%s\n' "$cache" "$1" "$(printf '%s' "$2" | cksum | cut -d' ' -f1)"
}

steps_stop()
{
	trap - INT TERM
	[ -z "$steps_child" ] || kill "$steps_child" 2>/dev/null
	printf '\n' >&2
	exit 130
}
trap steps_stop INT TERM

steps_wait() # TITLE BEGAN: shows that the child lives, until it ends; its status is ours
{
	if [ -t 1 ]; then
		while kill -0 "$steps_child" 2>/dev/null; do
			printf '\r  %s ... %s s ' "$1" $(($(date +%s) - $2))
			sleep 0.2
		done
		printf '\r\033[K'
	fi
	wait "$steps_child"
}

# try TITLE COMMAND...: runs a step; true if it succeeded.  $steps_log is its log afterwards.
try()
{
	try_title=$1
	shift
	steps_n=$((steps_n + 1))
	mkdir -p "$logs" || die "Cannot make the folder $logs; set XDG_CACHE_HOME to a folder you may write."
	steps_log=$logs/$(basename "$0")-$(printf '%02d' $steps_n).log
	try_began=$(date +%s)
	[ -t 1 ] || say "  $try_title ..."
	"$@" >"$steps_log" 2>&1 </dev/null &
	steps_child=$!
	steps_wait "$try_title" "$try_began"
	try_status=$?
	steps_child=
	try_took=$(($(date +%s) - try_began))
	if [ $try_status -eq 0 ]; then
		say "  $try_title: done ($try_took s)"
	else
		say "  $try_title: FAILED ($try_took s)"
	fi
	return $try_status
}

steps_tail() # what went wrong, for the reader of the terminal
{
	say ""
	say "  The last lines of $steps_log:"
	tail -n 20 "$steps_log" | sed 's/^/    | /'
	say ""
}

# step TITLE HINT COMMAND...: a step without which there is no going on.
step()
{
	step_title=$1 step_hint=$2
	shift 2
	try "$step_title" "$@" && return 0
	steps_tail
	die "Stopped at the step \"$step_title\". $step_hint"
}

# The functions that steps run end in exec, so that stopping the step stops the command itself.
as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		exec "$@"
	else
		exec sudo "$@"
	fi
}

missing_packages() # PACKAGE...
{
	for package; do
		case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
		*" installed") ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

apt_update()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
}

apt_install()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
}

# Installs those of the packages that are missing, and nothing when none is.
need_packages()
{
	need=$(missing_packages "$@")
	[ -n "$need" ] || return 0
	command -v apt-get >/dev/null ||
		die "This needs Debian 12 or 13 (apt). Elsewhere install the equivalents of: $need"
	say "Missing packages, to be installed with apt: $need"
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "Neither root nor sudo here. As root, run:
  apt-get install --no-install-recommends $need"
		sudo -n true 2>/dev/null || sudo -v || die "sudo refused; without it install the packages above as root."
	fi
	step "package lists" "Check the network and /etc/apt/sources.list." apt_update
	# shellcheck disable=SC2086
	step "installing packages" "Try the command by hand: apt-get install $need" apt_install $need
}

# Used by the two scripts that source this.
# shellcheck disable=SC2034
{
	packages_build="gcc make libc6-dev autoconf automake pkg-config libevent-dev libssl-dev libsodium-dev
		libcurl4-openssl-dev libc-ares-dev libjansson-dev libyaml-dev libnghttp2-dev libhiredis-dev
		libp11-kit-dev"
	packages_demo="python3 python3-cryptography python3-signedjson python3-aiohttp python3-hpack
		python3-yaml openssl curl ca-certificates"
	packages_synapse="debootstrap debian-archive-keyring"
	packages_interop="$packages_synapse python3-matrix-nio python3-olm"
	# Others package these two as well, as one; theirs are as good.
	command -v node >/dev/null || packages_interop="$packages_interop nodejs"
	command -v npm >/dev/null || packages_interop="$packages_interop npm"
	packages_check="libcriterion-dev python3-pytest python3-h11 clang mandoc python3-hyperframe nghttp2-client
		redis-server softhsm2 opensc python3-jsonschema unbound"
}

cores()
{
	nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

steps_configure() # SOURCE FOLDER FLAGS...
{
	cf_source=$1 cf_folder=$2
	shift 2
	mkdir -p "$cf_folder" && cd "$cf_folder" && exec "$cf_source/configure" "$@"
}

# Makes the build system and a build folder, each only when it is not there yet.
prepare_build() # SOURCE FOLDER FLAGS...
{
	pb_source=$1 pb_folder=$2
	shift 2
	[ ! -e "$pb_source/config.status" ] ||
		die "$pb_source was configured in place; run 'make distclean' there first."
	if [ ! -x "$pb_source/configure" ] || [ ! -e "$pb_source/Makefile.in" ]; then
		step "making configure" "Is the clone complete? See the log." autoreconf -fi "$pb_source"
	fi
	if [ "$(cat "$pb_folder/.configured-with" 2>/dev/null)" != "$*" ] || [ ! -e "$pb_folder/Makefile" ]; then
		rm -rf "$pb_folder"
		step "configuring" "The log names what is missing; config.log in $pb_folder has the details." \
			steps_configure "$pb_source" "$pb_folder" "$@"
		printf '%s' "$*" >"$pb_folder/.configured-with"
	fi
}
