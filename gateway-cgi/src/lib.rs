//! gateway-cgi
