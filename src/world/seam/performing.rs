//! A change that is under way.

use std::pin::Pin;

use crate::base::Result;

pub type Performing<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;
