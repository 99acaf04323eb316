#include "control/privileges.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/privilege.h"

/* Makes the last directory of a path and gives it to the user; one that stands already is left as it is. */
static bool make_directory(const char *path, const struct passwd *user, char *error, size_t error_size)
{
    bool made = mkdir(path, 0750) == 0;
    if ((!made && errno == EEXIST) || (made && (!user || chown(path, user->pw_uid, user->pw_gid) == 0)))
        return true;
    snprintf(error, error_size, "%s: %s", path, strerror(errno));
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
    if (user && (!privilege_change_user(name, error, error_size) || !privilege_drop_capabilities(error, error_size)))
        return false;
    return privilege_confine_process(error, error_size);
}
