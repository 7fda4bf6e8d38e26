-- A whole copy as of one moment, while others write.
VACUUM INTO $1
