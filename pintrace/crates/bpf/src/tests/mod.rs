mod line_info;
