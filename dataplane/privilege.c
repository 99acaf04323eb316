#include "dataplane/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool fail(char *error, size_t error_size, const char *what, int number)
{
    snprintf(error, error_size, "%s: %s", what, strerror(number));
    return false;
}

bool privilege_change_user(const char *user, char *error, size_t error_size)
{
    if (user[0] == 0)
        return true;
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (!entry) {
        snprintf(error, error_size, "no user %s", user);
        return false;
    }
    /* glibc carries these to all threads; with the user, root's capabilities go. */
    if (setgroups(0, NULL) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0)
        return fail(error, error_size, user, errno);
    return true;
}

bool privilege_drop_capabilities(char *error, size_t error_size)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail(error, error_size, "no_new_privs", errno);
    /* The bounding set can be emptied only by who still may; who may not cannot gain from it either. */
    capng_clear(CAPNG_SELECT_ALL);
    bool bounded = capng_apply(CAPNG_SELECT_BOUNDS) == 0 || getuid() != 0;
    if (!bounded || capng_apply(CAPNG_SELECT_CAPS) != 0)
        return fail(error, error_size, "capabilities", errno);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return true;
}

static bool load(scmp_filter_ctx filter, int built, const char *what, char *error, size_t error_size)
{
    int result = built;
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result == 0 || fail(error, error_size, what, -result);
}

static int add_rules(scmp_filter_ctx filter, uint32_t action, const int calls[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int result = seccomp_rule_add(filter, action, calls[i], 0);
        if (result != 0)
            return result;
    }
    return 0;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

bool privilege_confine_process(char *error, size_t error_size)
{
    static const int refused[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(fork),
        SCMP_SYS(vfork),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(setns),
        SCMP_SYS(unshare),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(adjtimex),
        SCMP_SYS(iopl),
        SCMP_SYS(ioperm),
        SCMP_SYS(acct),
    };
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail(error, error_size, "core dumps", errno);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return fail(error, error_size, "seccomp", ENOMEM);
    int built = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (built == 0)
        built = add_rules(filter, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused));
    return load(filter, built, "seccomp of the process", error, error_size);
}

bool privilege_confine_worker(enum privilege_port port, char *error, size_t error_size)
{
    static const int allowed[] = {
        SCMP_SYS(io_uring_enter),
        SCMP_SYS(sched_yield),
        SCMP_SYS(nanosleep),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(restart_syscall),
        SCMP_SYS(futex),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        /* abort, where an assertion fails */
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(gettid),
        SCMP_SYS(getpid),
        SCMP_SYS(tgkill),
        SCMP_SYS(rt_sigaction),
    };
    static const int carried[] = {
        SCMP_SYS(read),     SCMP_SYS(readv),  SCMP_SYS(write),      SCMP_SYS(writev),
        SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),    SCMP_SYS(sendmsg),
        SCMP_SYS(poll),     SCMP_SYS(ppoll),  SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return fail(error, error_size, "seccomp", ENOMEM);
    int built = add_rules(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (built == 0) { /* the worker's ring reads another table (keys/lookup.c) */
        struct scmp_arg_cmp files = {
            .arg = 1, .op = SCMP_CMP_EQ, .datum_a = IORING_REGISTER_FILES_UPDATE, .datum_b = 0};
        built = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(io_uring_register), 1, &files);
    }
    if (built == 0 && port == PRIVILEGE_PORT_KERNEL)
        built = add_rules(filter, SCMP_ACT_ALLOW, carried, COUNT(carried));
    if (built == 0 && port == PRIVILEGE_PORT_USER) { /* an assertion's last words */
        struct scmp_arg_cmp to_stderr = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = STDERR_FILENO, .datum_b = 0};
        built = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, &to_stderr);
    }
    return load(filter, built, "seccomp of a worker", error, error_size);
}
