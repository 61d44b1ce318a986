//! Where one request's time goes.
