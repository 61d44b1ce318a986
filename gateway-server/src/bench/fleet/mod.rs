//! The processes of one model: started, looked at, ended.
