//! Declares each hook as a primary program and its backups; see [`crate::backup`].

/// Makes a primary program, a backup, and after a `+` a second backup from a function (role, context).
macro_rules! with_backup {
    ($(
        $kind:ident $context:ident $name:ident $backup:ident $(+ $backup2:ident)? => $function:ident $(($argument:expr))?;
    )+) => {
        $(
            with_backup!(@ $kind $context $name Primary $function $(($argument))?);
            with_backup!(@backup $kind $context $backup $($backup2)? => $function $(($argument))?);
        )+
    };
    (@backup $kind:ident $context:ident $backup:ident => $function:ident $(($argument:expr))?) => {
        with_backup!(@ $kind $context $backup LastBackup $function $(($argument))?);
    };
    (@backup $kind:ident $context:ident $backup:ident $backup2:ident => $function:ident $(($argument:expr))?) => {
        with_backup!(@ $kind $context $backup FirstBackup $function $(($argument))?);
        with_backup!(@ $kind $context $backup2 LastBackup $function $(($argument))?);
    };
    (@ $kind:ident $context:ident $name:ident $role:ident $function:ident $(($argument:expr))?) => {
        #[$kind]
        pub fn $name(ctx: $context) -> i32 {
            $function($crate::backup::Role::$role, ctx.as_ptr() $(, $argument)?)
        }
    };
}

pub(crate) use with_backup;
