#include "control/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the last directory of a path and gives it to the user; one that stands already is left as it is. */
static bool make_directory(const char *path, const struct passwd *user, char *error, size_t error_size)
{
    bool made = mkdir(path, 0750) == 0;
    if ((!made && errno == EEXIST) || (made && (!user || chown(path, user->pw_uid, user->pw_gid) == 0)))
        return true;
    snprintf(error, error_size, "%s: %s", path, strerror(errno));
    return false;
}

static bool become(const struct passwd *user, char *error, size_t error_size)
{
    /* setuid from root to another user clears every capability set. */
    if (setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0 && setuid(0) != 0)
        return true;
    snprintf(error, error_size, "cannot become %s: %s", user->pw_name, strerror(errno));
    return false;
}

bool privileges_drop(const struct operator_config *config, char *error, size_t error_size)
{
    const struct passwd *user = NULL;
    const char *name = config->control.user;
    char directory[sizeof config->control.socket];
    if (name[0] && geteuid() == 0 && !(user = getpwnam(name))) {
        snprintf(error, error_size, "/control/user: no user %s", name);
        return false;
    }
    snprintf(directory, sizeof directory, "%s", config->control.socket);
    char *slash = strrchr(directory, '/');
    if (slash && slash != directory) {
        *slash = '\0';
        if (!make_directory(directory, user, error, error_size))
            return false;
    }
    if (!make_directory(config->store, user, error, error_size))
        return false;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return !user || become(user, error, error_size);
}
