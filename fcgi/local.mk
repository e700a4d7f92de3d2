# what fcgi/ builds, installs and checks
