/* What is given up is gone, as seen by the system calls themselves. Each test gives up in a child of its own. */
#include "tests/unit/unit.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/privilege.h"

/* A child's first claim that does not hold becomes its exit code. */
#define CLAIM(number, claim)                                                                                           \
    if (!(claim))                                                                                                      \
    _exit(number)

static void in_child(void (*body)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body();
        syscall(SYS_exit_group, 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("claim %d does not hold (status %x)", WEXITSTATUS(status), status);
}

static bool refused(long result)
{
    return result == -1 && errno == EPERM;
}

static void *try_root(void *argument)
{
    *(bool *)argument = getuid() != 0 && setuid(0) == -1;
    return NULL;
}

static pthread_barrier_t changed;

static void *wait_and_try_root(void *argument)
{
    pthread_barrier_wait(&changed);
    return try_root(argument);
}

static void become_nobody(void)
{
    char error[128];
    uid_t real, effective, saved;
    bool other_thread = false;
    pthread_t thread;
    CLAIM(1, pthread_barrier_init(&changed, NULL, 2) == 0);
    CLAIM(2, pthread_create(&thread, NULL, wait_and_try_root, &other_thread) == 0);
    CLAIM(3, privilege_change_user("nobody", error, sizeof error));
    pthread_barrier_wait(&changed);
    pthread_join(thread, NULL);
    CLAIM(4, other_thread);
    CLAIM(5, getresuid(&real, &effective, &saved) == 0 && real && effective && saved);
    CLAIM(6, getgroups(0, NULL) == 0 && getgid() != 0);
    CLAIM(7, refused(setuid(0)));
    CLAIM(8, open("/etc/shadow", O_RDONLY) == -1 && errno == EACCES);
    CLAIM(9, !privilege_change_user("no such user", error, sizeof error) && error[0]);
}

static void another_user_for_good(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("skipped: only root can become another user\n");
        skip();
    }
    in_child(become_nobody);
}

static void drop(void)
{
    char error[128];
    CLAIM(1, privilege_drop_capabilities(error, sizeof error));
    CLAIM(2, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    capng_clear(CAPNG_SELECT_ALL);
    CLAIM(3, capng_get_caps_process() == 0);
    CLAIM(4, capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE);
    CLAIM(5, getuid() != 0 || capng_have_capabilities(CAPNG_SELECT_BOUNDS) == CAPNG_NONE);
    CLAIM(6, refused(socket(AF_PACKET, SOCK_RAW, 0)));
}

static void capabilities_are_gone(void **state)
{
    (void)state;
    in_child(drop);
}

static void *exec_elsewhere(void *argument)
{
    char *const arguments[] = {NULL};
    pthread_barrier_wait(&changed);
    *(bool *)argument = refused(execve("/bin/true", arguments, arguments));
    return NULL;
}

static void confine_process(void)
{
    char error[128];
    struct rlimit core;
    bool other_thread = false;
    pthread_t thread;
    CLAIM(1, pthread_barrier_init(&changed, NULL, 2) == 0);
    CLAIM(2, pthread_create(&thread, NULL, exec_elsewhere, &other_thread) == 0);
    CLAIM(3, privilege_confine_process(error, sizeof error));
    pthread_barrier_wait(&changed);
    pthread_join(thread, NULL);
    CLAIM(4, other_thread);
    CLAIM(5, refused(syscall(SYS_ptrace, 0, 0, 0, 0)));
    CLAIM(6, refused(syscall(SYS_bpf, 0, NULL, 0)));
    CLAIM(7, getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    CLAIM(8, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CLAIM(9, open("/dev/null", O_RDWR) >= 0); /* what the store thread needs it has */
}

static void the_process_starts_no_program(void **state)
{
    (void)state;
    in_child(confine_process);
}

static void confine_worker_of(enum privilege_port port)
{
    char error[128];
    const struct timespec moment = {0, 1000};
    struct timespec now;
    uint8_t byte = 0;
    int fd = open("/dev/zero", O_RDWR);
    CLAIM(1, privilege_confine_worker(port, error, sizeof error));
    CLAIM(2, refused(open("/dev/null", O_RDWR)));
    CLAIM(3, refused(socket(AF_INET, SOCK_DGRAM, 0)));
    CLAIM(4, refused(syscall(SYS_mmap, NULL, 4096, 3, 0x22, -1, 0)));
    CLAIM(5, refused(syscall(SYS_io_uring_setup, 1, NULL)));
    CLAIM(6, syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) == -1 && errno == EBADF);
    CLAIM(7, syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, NULL) == 0 && sched_yield() == 0);
    CLAIM(8, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
    bool carried = port == PRIVILEGE_PORT_KERNEL;
    CLAIM(9, carried ? read(fd, &byte, 1) == 1 : refused(read(fd, &byte, 1)));
    CLAIM(10, carried ? write(fd, &byte, 1) == 1 : refused(write(fd, &byte, 1)));
    CLAIM(11, refused(syscall(SYS_kill, getppid(), 0)));
}

static void confine_user_port(void)
{
    confine_worker_of(PRIVILEGE_PORT_USER);
}

static void confine_kernel_port(void)
{
    confine_worker_of(PRIVILEGE_PORT_KERNEL);
}

static void a_worker_has_its_ring_and_its_clock(void **state)
{
    (void)state;
    in_child(confine_user_port);
    in_child(confine_kernel_port);
}

static atomic_int confined;

/* Does not end: a sanitizer's own work at a thread's end would be refused too. */
static void *confine_here(void *argument)
{
    char error[128];
    (void)argument;
    bool done =
        privilege_confine_worker(PRIVILEGE_PORT_USER, error, sizeof error) && refused(open("/dev/null", O_RDWR));
    atomic_store(&confined, done ? 1 : -1);
    for (;;)
        sched_yield();
    return NULL;
}

static void confine_a_thread(void)
{
    pthread_t thread;
    CLAIM(1, pthread_create(&thread, NULL, confine_here, NULL) == 0);
    while (atomic_load(&confined) == 0)
        sched_yield();
    CLAIM(2, atomic_load(&confined) == 1);
    CLAIM(3, open("/dev/null", O_RDWR) >= 0);
}

static void a_workers_filter_is_its_own(void **state)
{
    (void)state;
    in_child(confine_a_thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_user_for_good),         cmocka_unit_test(capabilities_are_gone),
        cmocka_unit_test(the_process_starts_no_program), cmocka_unit_test(a_worker_has_its_ring_and_its_clock),
        cmocka_unit_test(a_workers_filter_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
