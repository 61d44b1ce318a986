//! gateway-fastcgi
