#include "lib/daemon.h"
