//! The permissions that these routes ask for.

stoa_http::guards! {
    ReadsMails = "mail": "read";
    ReadsJobs = "job": "read";
    RetriesJobs = "job": "update";
    DeletesJobs = "job": "delete";
}
