//! Each hook as two programs, or three; see [`crate::turns`].

/// Makes of a function (turn, context) a program, its second copy, and after a `+` a third.
macro_rules! both_turns {
    ($(
        $kind:ident $context:ident $name:ident $again:ident $(+ $third:ident)? => $function:ident $(($argument:expr))?;
    )+) => {
        $(
            both_turns!(@ $kind $context $name First $function $(($argument))?);
            both_turns!(@again $kind $context $again $($third)? => $function $(($argument))?);
        )+
    };
    (@again $kind:ident $context:ident $again:ident => $function:ident $(($argument:expr))?) => {
        both_turns!(@ $kind $context $again Last $function $(($argument))?);
    };
    (@again $kind:ident $context:ident $again:ident $third:ident => $function:ident $(($argument:expr))?) => {
        both_turns!(@ $kind $context $again Middle $function $(($argument))?);
        both_turns!(@ $kind $context $third Last $function $(($argument))?);
    };
    (@ $kind:ident $context:ident $name:ident $turn:ident $function:ident $(($argument:expr))?) => {
        #[$kind]
        pub fn $name(ctx: $context) -> i32 {
            $function($crate::turns::Turn::$turn, ctx.as_ptr() $(, $argument)?)
        }
    };
}

pub(super) use both_turns;
