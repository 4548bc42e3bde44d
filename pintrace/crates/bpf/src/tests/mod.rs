mod line_info;
mod stack_depth;
