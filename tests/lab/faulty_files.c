/* For LD_PRELOAD: at one of the operations by which a process makes files durable, it is killed or told of an error.
 * FAULT_AT=N    the operation, counted from 1; 0 counts only
 * FAULT_DO=     kill, eio or enospc
 * FAULT_LOG=    a file that gets a line for each operation
 * Programs that the process starts are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int seen;
static int wanted = -1;
static int error_number;
static int log_file = -1;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT_DO"), *log = getenv("FAULT_LOG");
    if (!at)
        return;
    wanted = atoi(at);
    error_number = !kind || !strcmp(kind, "kill") ? 0 : !strcmp(kind, "eio") ? EIO : ENOSPC;
    if (log)
        log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD");
    unsetenv("FAULT_AT");
}

static int strikes(const char *operation, const char *path) {
    if (wanted < 0)
        return 0;
    int number = atomic_fetch_add(&seen, 1) + 1;
    if (log_file >= 0)
        dprintf(log_file, "%d %s %s\n", number, operation, path);
    if (number != wanted)
        return 0;
    if (!error_number)
        kill(getpid(), SIGKILL);
    errno = error_number;
    return 1;
}

static const char *path_of(int fd) {
    static _Thread_local char path[4096];
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

#define NEXT(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return strikes("fsync", path_of(fd)) ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return strikes("fdatasync", path_of(fd)) ? -1 : NEXT(fdatasync)(fd); }
int rename(const char *from, const char *to) { return strikes("rename", to) ? -1 : NEXT(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    return strikes("rename", to) ? -1 : NEXT(renameat)(a, from, b, to);
}
int symlink(const char *to, const char *path) { return strikes("symlink", path) ? -1 : NEXT(symlink)(to, path); }
int mkdir(const char *path, mode_t mode) { return strikes("mkdir", path) ? -1 : NEXT(mkdir)(path, mode); }
int unlink(const char *path) { return strikes("unlink", path) ? -1 : NEXT(unlink)(path); }
int unlinkat(int at, const char *path, int flags) {
    return strikes("unlink", path) ? -1 : NEXT(unlinkat)(at, path, flags);
}
