//! Each hook as two programs; see [`crate::turns`].

/// Makes of a function (turn, context) a program and its second copy.
macro_rules! both_turns {
    ($($kind:ident $context:ident $name:ident $again:ident => $function:ident $(($argument:expr))?;)+) => {
        $(
            #[$kind]
            pub fn $name(ctx: $context) -> i32 {
                $function($crate::turns::Turn::First, ctx.as_ptr() $(, $argument)?)
            }

            #[$kind]
            pub fn $again(ctx: $context) -> i32 {
                $function($crate::turns::Turn::Second, ctx.as_ptr() $(, $argument)?)
            }
        )+
    };
}

pub(super) use both_turns;
